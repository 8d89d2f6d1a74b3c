package postgrestest

import (
	"os/user"
	"syscall"
)

// attributes has nothing to do here; on Windows name a server in TEST_POSTGRES_URL.
func attributes(*user.User) *syscall.SysProcAttr { return nil }
