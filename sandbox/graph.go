package sandbox

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"unsafe"
)

// The state of a sandbox is a graph: messages point to accounts, rows and templates,
// timers to messages, and several things to the same one. It is written by walking
// it with reflection instead of by hand, so that no field that somebody adds can be
// forgotten and lost without a word over a restart. Channels and functions are left
// out; whatever a file is read into must have the very types it was written from,
// which fingerprint tells.

// graphTypes are the concrete types that interfaces in the graph hold.
var graphTypes = map[string]reflect.Type{
	"message": reflect.TypeFor[*message](),
	"push":    reflect.TypeFor[*push](),
	"review":  reflect.TypeFor[*review](),
	"preset":  reflect.TypeFor[*preset](),
}

// textual reports that a type knows how to write itself, as times and addresses do.
func textual(t reflect.Type) bool {
	if known, ok := textualTypes.Load(t); ok {
		return known.(bool)
	}
	is := writesItself(t)
	textualTypes.Store(t, is)
	return is
}

// textualTypes remembers what textual found: asking reflect each time is slow.
var textualTypes sync.Map

func writesItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.BinaryMarshaler]()) &&
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]())
}

func leftOut(t reflect.Type) bool { return t.Kind() == reflect.Chan || t.Kind() == reflect.Func }

// open lifts the protection of unexported fields from an addressable value.
func open(v reflect.Value) reflect.Value {
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
}

type graphPointer struct {
	at unsafe.Pointer
	t  reflect.Type
}

// graphWriter writes a graph. A pointer is 0 for nil, 1 before something new, and
// 2+n for the nth thing written.
type graphWriter struct {
	buf  []byte
	seen map[graphPointer]uint64
}

// writeGraph returns the graph that root, a pointer, leads to.
func writeGraph(root any) []byte {
	w := &graphWriter{seen: map[graphPointer]uint64{}}
	w.value(reflect.ValueOf(root).Elem())
	return w.buf
}

func (w *graphWriter) number(n uint64) { w.buf = binary.AppendUvarint(w.buf, n) }

func (w *graphWriter) bytes(b []byte) {
	w.number(uint64(len(b)))
	w.buf = append(w.buf, b...)
}

// value writes an addressable value.
func (w *graphWriter) value(v reflect.Value) {
	t := v.Type()
	if textual(t) {
		b, err := v.Addr().Interface().(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			panic(fmt.Sprintf("sandbox: write %s: %v", t, err)) // times of years that do not exist here
		}
		w.bytes(b)
		return
	}
	switch t.Kind() {
	case reflect.Bool:
		w.number(map[bool]uint64{true: 1}[v.Bool()])
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.buf = binary.AppendVarint(w.buf, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		w.number(v.Uint())
	case reflect.Float32, reflect.Float64:
		w.number(math.Float64bits(v.Float()))
	case reflect.String:
		w.bytes([]byte(v.String()))
	case reflect.Pointer:
		w.pointer(v)
	case reflect.Interface:
		w.iface(v)
	case reflect.Slice:
		w.slice(v)
	case reflect.Array:
		for i := range v.Len() {
			w.value(v.Index(i))
		}
	case reflect.Map:
		w.mapping(v)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := open(v.Field(i)); !leftOut(f.Type()) {
				w.value(f)
			}
		}
	default:
		panic("sandbox: the state holds a " + t.String()) // a test writes all there is
	}
}

func (w *graphWriter) pointer(v reflect.Value) {
	if v.IsNil() {
		w.number(0)
		return
	}
	key := graphPointer{v.UnsafePointer(), v.Type()}
	if id, known := w.seen[key]; known {
		w.number(2 + id)
		return
	}
	w.seen[key] = uint64(len(w.seen))
	w.number(1)
	w.value(v.Elem())
}

func (w *graphWriter) iface(v reflect.Value) {
	if v.IsNil() {
		w.bytes(nil)
		return
	}
	for name, t := range graphTypes {
		if v.Elem().Type() == t {
			w.bytes([]byte(name))
			w.pointer(v.Elem())
			return
		}
	}
	panic("sandbox: the state holds a " + v.Elem().Type().String() + " that graphTypes lacks")
}

func (w *graphWriter) slice(v reflect.Value) {
	if v.IsNil() {
		w.number(0)
		return
	}
	w.number(1 + uint64(v.Len()))
	if v.Type().Elem().Kind() == reflect.Uint8 {
		w.buf = append(w.buf, v.Bytes()...)
		return
	}
	for i := range v.Len() {
		w.value(v.Index(i))
	}
}

// mapping copies keys and values, for those of a map have no address.
func (w *graphWriter) mapping(v reflect.Value) {
	if v.IsNil() {
		w.number(0)
		return
	}
	w.number(1 + uint64(v.Len()))
	key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
	for it := v.MapRange(); it.Next(); {
		key.SetIterKey(it)
		value.SetIterValue(it)
		w.value(key)
		w.value(value)
	}
}

// errGraph: the bytes are not those of a graph of this type.
var errGraph = errors.New("is not whole")

type graphReader struct {
	buf  []byte
	made []reflect.Value // pointers, in the order they were read
}

// readGraph fills what root points to.
func readGraph(b []byte, root any) (err error) {
	defer func() {
		if r := recover(); r != nil { // whatever is wrong with the bytes shows as a panic somewhere below
			err = fmt.Errorf("%w: %v", errGraph, r)
		}
	}()
	r := &graphReader{buf: b}
	r.value(reflect.ValueOf(root).Elem())
	if len(r.buf) > 0 {
		return errGraph
	}
	return nil
}

func (r *graphReader) number() uint64 {
	n, size := binary.Uvarint(r.buf)
	if size <= 0 {
		panic(errGraph)
	}
	r.buf = r.buf[size:]
	return n
}

func (r *graphReader) bytes() []byte {
	n := r.number()
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

// length is that of a list whose elements take a byte each at least, or nothing.
func (r *graphReader) length(n uint64) int {
	if n > uint64(len(r.buf)) {
		panic(errGraph)
	}
	return int(n)
}

func (r *graphReader) value(v reflect.Value) {
	t := v.Type()
	if textual(t) {
		if err := v.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(r.bytes()); err != nil {
			panic(err)
		}
		return
	}
	switch t.Kind() {
	case reflect.Bool:
		v.SetBool(r.number() == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, size := binary.Varint(r.buf)
		r.buf = r.buf[size:]
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.number())
	case reflect.Float32, reflect.Float64:
		v.SetFloat(math.Float64frombits(r.number()))
	case reflect.String:
		v.SetString(string(r.bytes()))
	case reflect.Pointer:
		r.pointer(v)
	case reflect.Interface:
		r.iface(v)
	case reflect.Slice:
		r.slice(v)
	case reflect.Array:
		for i := range v.Len() {
			r.value(v.Index(i))
		}
	case reflect.Map:
		r.mapping(v)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := open(v.Field(i)); !leftOut(f.Type()) {
				r.value(f)
			}
		}
	}
}

func (r *graphReader) pointer(v reflect.Value) {
	switch n := r.number(); n {
	case 0:
	case 1:
		made := reflect.New(v.Type().Elem())
		r.made = append(r.made, made) // before what it leads to, which may lead back
		r.value(made.Elem())
		v.Set(made)
	default:
		v.Set(r.made[n-2])
	}
}

func (r *graphReader) iface(v reflect.Value) {
	name := string(r.bytes())
	if name == "" {
		return
	}
	held := reflect.New(graphTypes[name]).Elem()
	r.pointer(held)
	v.Set(held)
}

func (r *graphReader) slice(v reflect.Value) {
	n := r.number()
	if n == 0 {
		return
	}
	list := reflect.MakeSlice(v.Type(), r.length(n-1), r.length(n-1))
	if v.Type().Elem().Kind() == reflect.Uint8 {
		reflect.Copy(list, reflect.ValueOf(r.buf[:list.Len()]))
		r.buf = r.buf[list.Len():]
	} else {
		for i := range list.Len() {
			r.value(list.Index(i))
		}
	}
	v.Set(list)
}

func (r *graphReader) mapping(v reflect.Value) {
	n := r.number()
	if n == 0 {
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), r.length(n-1))
	for range n - 1 {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		r.value(key)
		r.value(value)
		m.SetMapIndex(key, value)
	}
	v.Set(m)
}

// fingerprint names the types of a graph: two programs with the same one read
// each other's files.
func fingerprint(root reflect.Type) string {
	b, seen := strings.Builder{}, map[reflect.Type]bool{}
	describe(&b, seen, root)
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

func describe(b *strings.Builder, seen map[reflect.Type]bool, t reflect.Type) {
	b.WriteString(t.String() + ";")
	if seen[t] || textual(t) || leftOut(t) {
		return
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		describe(b, seen, t.Elem())
	case reflect.Map:
		describe(b, seen, t.Key())
		describe(b, seen, t.Elem())
	case reflect.Interface:
		for _, name := range []string{"message", "push", "review", "preset"} {
			describe(b, seen, graphTypes[name])
		}
	case reflect.Struct:
		for f := range t.Fields() {
			b.WriteString(f.Name + " ")
			describe(b, seen, f.Type)
		}
	}
}
