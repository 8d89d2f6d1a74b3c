package bench

// Measurement is a scenario without a bare loop beside it.
type Measurement struct {
	Name    string   `json:"name"`
	About   string   `json:"about"`
	Figures []Figure `json:"figures"`
}

// Figure is one number, with the goal we hold ourselves to where there is one.
type Figure struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit"`
	Goal  *float64 `json:"goal,omitempty"`
	// Best tells which side of the goal is the right one: "least" or "most"; "" without a goal.
	Best string `json:"best,omitempty"`
}

// Met reports whether the goal is reached; true without one.
func (f *Figure) Met() bool {
	switch f.Best {
	case "most":
		return f.Value >= *f.Goal
	case "least":
		return f.Value <= *f.Goal
	}
	return true
}

const figureDecimals = 2

func figure(name string, value float64, unit string) Figure {
	return Figure{Name: name, Value: rounded(value, figureDecimals), Unit: unit}
}

// atLeast is a figure that should not be smaller than goal, atMost one that should not be larger.
func atLeast(name string, value float64, unit string, goal float64) Figure {
	return Figure{name, rounded(value, figureDecimals), unit, &goal, "most"}
}

func atMost(name string, value float64, unit string, goal float64) Figure {
	return Figure{name, rounded(value, figureDecimals), unit, &goal, "least"}
}
