package sheet

import (
	"archive/zip"
	"compress/flate"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// Words say one thing in English and in Chinese: operators read the one or the other.
type Words struct{ EN, ZH string }

// say formats both with the same arguments.
func say(en, zh string, args ...any) Words {
	return Words{fmt.Sprintf(en, args...), fmt.Sprintf(zh, args...)}
}

// Error is what is wrong with a file as a whole.
type Error struct {
	Words
	Err error // what caused it, mostly in English alone; nil = nothing else
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

// InChinese is Error in Chinese. A cause that nobody put into Chinese is left out.
func (e *Error) InChinese() string {
	if cause := causeZH(e.Err); cause != "" {
		return e.ZH + "：" + cause
	}
	return e.ZH
}

// causeZH is an error of the readers below this package in Chinese, "" for others.
func causeZH(err error) string {
	if own, ok := errors.AsType[*Error](err); ok {
		return own.InChinese()
	}
	if s, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return fmt.Sprintf("第 %d 行不是正确的 XML", s.Line)
	}
	if _, ok := errors.AsType[flate.CorruptInputError](err); ok {
		return "压缩数据已损坏"
	}
	switch {
	case errors.Is(err, zip.ErrFormat):
		return "不是完整的 zip 文件"
	case errors.Is(err, zip.ErrAlgorithm):
		return "使用了不支持的压缩方式"
	case errors.Is(err, zip.ErrChecksum):
		return "校验和不符"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "内容提前结束"
	}
	return ""
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
