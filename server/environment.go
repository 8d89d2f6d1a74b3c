package server

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"hongyan/internal/near"
)

// otherVariables are read beside the settings: by New (keys) and by the command line.
var otherVariables = []string{"ADMIN_KEY", "MASTER_KEY", "MASTER_KEY_FILE", "CONFIG", "URL", "KEY"}

const variablePrefix = "HONGYAN_"

// ofKubernetes matches what Kubernetes sets in every container beside a Service
// named hongyan: nobody wrote those, so nobody has mistyped them.
var ofKubernetes = regexp.MustCompile(`^([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)`)

// UnknownVariables returns a sentence for each HONGYAN_* variable that nothing
// reads, in order: a mistyped one would be ignored in silence. environ is as
// os.Environ returns it. Values are not repeated.
func UnknownVariables(environ []string) []string {
	var known []string
	c := Default()
	eachSetting(reflect.ValueOf(&c).Elem(), "", func(key string, _ reflect.Value) {
		known = append(known, strings.TrimPrefix(EnvName(key), variablePrefix))
	})
	known = append(known, otherVariables...)
	for i := range known {
		known[i] = strings.ToLower(known[i])
	}
	var found []string
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, variablePrefix)
		if !ours || value == "" || // an empty one is as good as none everywhere
			slices.Contains(known, strings.ToLower(rest)) && rest == strings.ToUpper(rest) || ofKubernetes.MatchString(rest) {
			continue
		}
		said := name + " is no setting and is ignored"
		if meant := near.Word(rest, known); meant != "" {
			said += fmt.Sprintf("; did you mean %s%s?", variablePrefix, strings.ToUpper(meant))
		}
		found = append(found, said)
	}
	slices.Sort(found)
	return found
}
