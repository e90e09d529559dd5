package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"aims/internal/aims"
)

// Load reads a bundle. It is strict, because a policy that is skipped is a rule
// that does not hold: every entry must be a readable file of a bundle, except
// names that begin with a dot, which editors and mounts leave behind.
func Load(fsys fs.FS) (*Bundle, error) {
	var files []File
	if err := readDir(fsys, ".", &files); err != nil {
		return nil, err
	}
	return New(files)
}

func readDir(fsys fs.FS, dir string, files *[]File) error {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return aims.Errorf(aims.Invalid, err, "the policy directory cannot be read")
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := path.Join(dir, e.Name())
		if name == TestsDir || name == ToolsDir {
			if err := readDir(fsys, name, files); err != nil {
				return err
			}
			continue
		}
		if len(*files) == maxFiles {
			return aims.Errorf(aims.Invalid, nil, "the policy directory holds more than %d files", maxFiles)
		}
		// What is no file of a bundle is refused by its name, unread.
		f := File{Name: name}
		if err := (&Bundle{files: []File{f}}).checkFiles(); err != nil {
			return err
		}
		if f.Text, err = readFile(fsys, name); err != nil {
			return aims.Errorf(aims.Invalid, err, "the policy file %s cannot be read", name)
		}
		*files = append(*files, f)
	}
	return nil
}

// readFile reads a regular file, or one behind a link, as mounted
// configuration is; opening anything else could hang.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is no regular file")}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, err
}
