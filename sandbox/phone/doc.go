// Package phone is the sandbox's phone in the browser.
package phone
