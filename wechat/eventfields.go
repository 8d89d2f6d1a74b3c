package wechat

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of EventFields: what WeChat documents stays far below.
const (
	maxEventFields = 500
	maxEventDepth  = 8
)

var (
	errManyFields = errors.New("too many fields")
	errDeepFields = errors.New("fields inside fields inside fields")
)

// EventFields reads every field of a plain push, XML or JSON, by its name as WeChat
// spells it; one inside another has both names with a dot between them
// ("ScanCodeInfo.ScanResult"). Of a field that repeats the first value counts. Texts
// are without surrounding white space. The same bodies are refused as by ParseEvent.
func EventFields(body []byte) (map[string]string, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, byteOrderMark))
	fields := fieldSet{}
	var err error
	switch {
	case len(body) > 0 && body[0] == '{':
		err = fields.json("", body, 0)
	case len(body) > 0 && body[0] == '<':
		err = fields.xml(body)
	default:
		err = errors.New("neither XML nor JSON")
	}
	if err != nil {
		return nil, fmt.Errorf("wechat: read the fields of an event: %w", err)
	}
	return fields, nil
}

type fieldSet map[string]string

// add keeps the first value of a field.
func (f fieldSet) add(name, value string) error {
	if _, twice := f[name]; twice || name == "" {
		return nil
	}
	if len(f) >= maxEventFields {
		return errManyFields
	}
	f[name] = strings.TrimSpace(value)
	return nil
}

// xml walks the elements below the root; an element with elements inside has no
// value of its own.
func (f fieldSet) xml(body []byte) error {
	plain := xml.NewDecoder(bytes.NewReader(body))
	d := strictTokens{plain}
	var path []string
	var text strings.Builder
	leaf := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if path = append(path, t.Name.Local); len(path) > maxEventDepth {
				return errDeepFields
			}
			text.Reset()
			leaf = true
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			if leaf {
				if err := f.add(strings.Join(path[1:], "."), text.String()); err != nil {
					return err
				}
			}
			if leaf, path = false, path[:len(path)-1]; len(path) == 0 {
				return onlySpaceLeft(plain)
			}
		}
	}
}

func (f fieldSet) json(prefix string, raw json.RawMessage, depth int) error {
	if depth > maxEventDepth {
		return errDeepFields
	}
	switch raw = bytes.TrimSpace(raw); raw[0] {
	case '{':
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			return err
		}
		for name, value := range members {
			if prefix != "" {
				name = prefix + "." + name
			}
			if err := f.json(name, value, depth+1); err != nil {
				return err
			}
		}
		return nil
	case '[':
		var values []json.RawMessage
		if err := json.Unmarshal(raw, &values); err != nil || len(values) == 0 {
			return err
		}
		return f.json(prefix, values[0], depth+1)
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		return f.add(prefix, s)
	}
	return f.add(prefix, string(raw))
}
