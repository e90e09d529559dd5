package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"aims/internal/register/record"
	"aims/internal/register/starter"
)

type initCmd struct {
	Answers        string `name:"answers" type:"existingfile" help:"File of answers; without it they are asked on the terminal."`
	PrintQuestions bool   `name:"print-questions" help:"Print a file of answers to be edited."`
	Dir            string `arg:"" optional:"" type:"path" help:"Directory for the files; what is there already is never written over."`
}

func (c *initCmd) Run(std streams) error {
	if c.PrintQuestions {
		_, err := std.out.Write(starter.Form())
		return err
	}
	if c.Dir == "" {
		return failf(exitUsage, "expected a directory for the files, such as `aims init registers`")
	}
	answers, err := c.answers(std)
	if err != nil {
		return err
	}
	files, err := answers.Files(time.Now())
	if err != nil {
		return err
	}
	if err := writeNew(c.Dir, files); err != nil {
		return err
	}
	return c.next(std, slices.Sorted(maps.Keys(files)))
}

func (c *initCmd) answers(std streams) (starter.Answers, error) {
	if c.Answers != "" {
		text, err := os.ReadFile(c.Answers)
		if err != nil {
			return starter.Answers{}, withCode(exitUsage, err)
		}
		answers, err := starter.Read(c.Answers, text)
		if err != nil {
			return answers, withCode(exitUsage, err)
		}
		return answers, nil
	}
	if !terminal(std.in) {
		return starter.Answers{}, failf(exitUsage, "nobody can be asked here; `aims init --print-questions >answers.yaml` prints the questions, and `aims init --answers answers.yaml DIR` reads the answers")
	}
	return asked(std)
}

func terminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// mostAgents is how many agents are asked about one by one.
const mostAgents = 20

// asked asks the questions one by one.
func asked(std streams) (starter.Answers, error) {
	in := bufio.NewReader(std.in)
	line := func(text, example string) (string, error) {
		fmt.Fprintf(std.out, "\n%s\n  such as: %s\n> ", text, example)
		typed, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) && typed != "" {
			err = nil
		}
		return typed, err
	}
	agents := 0
	for agents < 1 || agents > mostAgents {
		typed, err := line("How many agents are to be deployed?", "2")
		if err != nil {
			return starter.Answers{}, unanswered(err)
		}
		agents, _ = strconv.Atoi(strings.TrimSpace(typed))
	}
	answers, err := starter.Ask(agents, func(q starter.Question) (string, error) { return line(q.Text, q.Example) },
		func(fault string) { fmt.Fprintf(std.out, "  %s\n", fault) })
	return answers, unanswered(err)
}

func unanswered(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return failf(exitUsage, "the questions were not answered, and nothing was written; `aims init --print-questions` prints them as a file")
	}
	return withCode(exitUsage, err)
}

// writeNew writes files into a directory, none over one that is there.
func writeNew(dir string, files map[string][]byte) error {
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return failf(exitUsage, "%s is there already; nothing was written", path)
		}
	}
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = file.Write(files[name])
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// next says what is there and how to go on.
func (c *initCmd) next(std streams, names []string) error {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s\n", filepath.Join(c.Dir, name))
	}
	fmt.Fprintf(&b, "\nWhat begins with %q is for you to write; what is commented out, to decide. Then:\n", strings.TrimSpace(record.FillIn))
	fmt.Fprintf(&b, "  aims plan -f %[1]s      what would change\n  aims apply -f %[1]s     makes it so, with a receipt\n  aims gap%[2]s  what is missing, and what to do first\n", c.Dir, strings.Repeat(" ", max(0, len(c.Dir)+9)))
	_, err := io.WriteString(std.out, b.String())
	return err
}
