package sheet

import "fmt"

// Words say one thing in English and in Chinese: operators read the one or the other.
type Words struct{ EN, ZH string }

// say formats both with the same arguments.
func say(en, zh string, args ...any) Words {
	return Words{fmt.Sprintf(en, args...), fmt.Sprintf(zh, args...)}
}

// Error is what is wrong with a file as a whole.
type Error struct {
	Words
	Err error // what caused it, in English alone; nil = nothing else
}

// refuse returns an Error without a cause.
func refuse(en, zh string, args ...any) error { return &Error{Words: say(en, zh, args...)} }

// because returns an Error with a cause.
func because(err error, en, zh string, args ...any) error {
	return &Error{Words: say(en, zh, args...), Err: err}
}

// Error says it in English, with the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.EN
	}
	return e.EN + ": " + e.Err.Error()
}

// InChinese is Error in Chinese.
func (e *Error) InChinese() string {
	if e.Err == nil {
		return e.ZH
	}
	return e.ZH + "：" + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
