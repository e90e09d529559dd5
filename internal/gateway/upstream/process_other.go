//go:build !unix

package upstream

import "os/exec"

// Without process groups only the command itself can be ended.
func ownGroup(*exec.Cmd) {}

func askGroup(cmd *exec.Cmd)  { cmd.Process.Kill() }
func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() }
