package sandbox

// TryFault adds a rule that a person wrote and returns its id, or the
// [*ControlError] of a rule that breaks the rules. Programs use
// [Sandbox.AddFault].
func (s *Sandbox) TryFault(f Fault) (id string, err error) {
	added, err := s.tryFault(f)
	return added.ID, err
}

// tryFault is TryFault with the whole rule as it stands then.
func (s *Sandbox) tryFault(f Fault) (Fault, error) {
	if err := f.check(); err != nil {
		return Fault{}, err
	}
	defer s.unlock()
	p := s.lock()
	if f.AppID != "" && p.accounts[f.AppID] == nil {
		return Fault{}, &ControlError{Field: "appid", Rule: "must be an account of this sandbox", Value: f.AppID}
	}
	p.addFault(f)
	return *p.faults.rules[len(p.faults.rules)-1], nil
}
