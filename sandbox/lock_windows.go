package sandbox

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// errSharingViolation is ERROR_SHARING_VIOLATION of the Windows API.
const errSharingViolation = syscall.Errno(32)

// lockFile takes the lock of a data folder: a file opened without sharing. The
// system closes it when the process ends, however it ends.
func lockFile(path string) (io.Closer, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &StateError{File: path, Problem: "cannot be opened", Cure: "choose another folder", Err: err}
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		return nil, inUse(path, err)
	}
	if err != nil {
		return nil, &StateError{File: path, Problem: "cannot be opened", Cure: "choose another folder", Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}
