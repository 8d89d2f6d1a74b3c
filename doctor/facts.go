package doctor

import (
	"time"

	"hongyan"
)

// Token is what is known of an account's access_token without asking WeChat.
type Token struct {
	Source    hongyan.TokenSource
	FetchedAt time.Time // zero = none was fetched yet
	FetchedBy string    // the node
	Remaining time.Duration
	Stopped   *hongyan.TokenError // why none will be fetched until a person acts; nil = one will
	Failing   *hongyan.TokenError // why the latest refresh failed; nil = it did not
}

// Drift is how WeChat's list of templates differs from ours, as template_ids.
type Drift struct {
	Added   []string // WeChat has them, we do not
	Updated []string // their text or title is another
	Missing []string // we believe them to be usable, WeChat has them no more
	Same    int
}

// Quota is one limit and how much of its period is used.
type Quota struct {
	Scope       string // "account", or "template:" + template_id
	Period      string // "day" or "month", in Beijing time
	Limit       int64
	Used        int64
	Remaining   int64
	ResetsAt    time.Time
	ExhaustedAt time.Time // when the limit is reached at the present pace; zero = not before ResetsAt
}

// Machine is what only the process knows about where it runs.
type Machine struct {
	Folder    string // the data folder
	FreeBytes int64  // on its disk, for this user; -1 = not known on this system
	Database  string // its file, or the server's address without user and password
	Bytes     int64  // of the database's files; -1 = it is no file
	LogBytes  int64  // of these, the write-ahead log
	KeySource KeySource
	KeyFile   string // the file the master key comes from; "" = none
	// OpenFiles are files with a secret in them that other users of the machine may read.
	OpenFiles []string
}

// KeySource is where the master key comes from, which encrypts the secrets in the database.
type KeySource string

// The three sources.
const (
	KeyOfEnvironment KeySource = "environment" // HONGYAN_MASTER_KEY
	KeyOfNamedFile   KeySource = "file"        // HONGYAN_MASTER_KEY_FILE
	KeyOfDataFolder  KeySource = "data_folder" // DATA/master.key, made by the first start
)
