// Package interop holds tests only: WeChat clients and callback servers that
// others wrote and published for Node, run unchanged against our side of the
// protocol. They know nothing of Hongyan but a base URL, so they notice what our
// own client and sandbox would agree on by mistake.
//
// Start with stories_test.go, which says what a client does and what must have
// arrived at the platform; target is where it is pointed. npm/ has one script for
// each package and the versions they are pinned to; `.ci/need node npm-clients`
// installs those. docs/interop.md says what each package gets right and wrong.
package interop
