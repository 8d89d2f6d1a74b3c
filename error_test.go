package hongyan

import (
	"errors"
	"testing"
)

func TestErrorfSaysTheCauseOnce(t *testing.T) {
	cause := errors.New("disk on fire")
	e := Errorf(Unavailable, "busy", "write %s: %w", "the log", cause)
	if e.Message != "write the log" || e.Error() != "write the log: disk on fire" || !errors.Is(e, cause) {
		t.Errorf("got message %q, error %q, want the cause in the error alone, and once", e.Message, e)
	}
}
