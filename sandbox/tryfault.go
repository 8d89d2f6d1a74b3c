package sandbox

// TryFault adds a rule that a person wrote and returns its id, or the
// [*ControlError] of a rule that breaks the rules. Programs use
// [Sandbox.AddFault].
func (s *Sandbox) TryFault(f Fault) (id string, err error) {
	if err := f.check(); err != nil {
		return "", err
	}
	return s.AddFault(f), nil
}
