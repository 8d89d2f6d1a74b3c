package sandbox

// RetiredRules say which retired calls still work, and how the others answer; nil
// leaves what is there.
type RetiredRules struct {
	// MiniRetiredCode is what wxopen/template/* answer once mini_template_retired:
	// 45103 (default) or 46101, both were observed.
	MiniRetiredCode string `json:"mini_retired_code,omitzero"`
	// UniformSendRetired: wxopen/template/uniform_send answers 45109. Default the era's: true in F.
	UniformSendRetired *bool `json:"uniform_send_retired,omitzero"`
}

type retiredRules struct {
	miniRetiredCode string
	uniformRetired  bool
}

// Values of mini_retired_code.
const (
	retired45103 = "45103"
	retired46101 = "46101"
)

func newRetiredRules() retiredRules {
	return retiredRules{miniRetiredCode: retired45103}
}

func (spec *RetiredRules) check() error {
	return oneOf("mini_retired_code", spec.MiniRetiredCode, retired45103, retired46101)
}

func (r *retiredRules) apply(spec RetiredRules) {
	setText(&r.miniRetiredCode, spec.MiniRetiredCode)
	set(&r.uniformRetired, spec.UniformSendRetired)
}

func (r *retiredRules) view() RetiredRules {
	return RetiredRules{MiniRetiredCode: r.miniRetiredCode, UniformSendRetired: new(r.uniformRetired)}
}
