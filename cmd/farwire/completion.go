package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completion struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints a script that completes commands and flags, made of what the
// commands declare.
func (c *completion) Run(app *kong.Kong) error {
	write := map[string]func(*strings.Builder, []completed){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}[c.Shell]
	var b strings.Builder
	write(&b, commandsOf(app.Model))
	_, err := io.WriteString(os.Stdout, b.String())
	return err
}

// A completed is a command as a shell has to know it.
type completed struct {
	name, help string
	flags      []*kong.Flag
	words      []string // that its argument may be
}

func commandsOf(app *kong.Application) (all []completed) {
	for _, node := range app.Children {
		c := completed{name: node.Name, help: node.Help}
		for _, group := range node.AllFlags(true) {
			c.flags = append(c.flags, group...)
		}
		for _, p := range node.Positional {
			if p.Enum != "" {
				c.words = append(c.words, p.EnumSlice()...)
			}
		}
		all = append(all, c)
	}
	return all
}

func names(all []completed) (list []string) {
	for _, c := range all {
		list = append(list, c.name)
	}
	return list
}

// isPath reports whether a flag's value is something on the disk.
func isPath(f *kong.Flag) bool {
	return slices.Contains([]string{"FILE", "DIR"}, f.PlaceHolder)
}

func completeBash(b *strings.Builder, all []completed) {
	fmt.Fprintf(b, `# bash completion for farwire
_farwire() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= word words=
    for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
        case $word in
            %s) command=$word; break ;;
        esac
    done
    COMPREPLY=()
    case $command in
        '') words='%s --help' ;;
`, strings.Join(names(all), "|"), strings.Join(names(all), " "))
	for _, c := range all {
		words := slices.Clone(c.words)
		var paths, values []string
		for _, f := range c.flags {
			words = append(words, "--"+f.Name)
			switch {
			case f.IsBool():
			case isPath(f):
				paths = append(paths, "--"+f.Name)
			default:
				values = append(values, "--"+f.Name)
			}
		}
		fmt.Fprintf(b, "        %s)\n            case $prev in\n", c.name)
		if len(paths) > 0 {
			fmt.Fprintf(b, "                %s) while IFS= read -r word; do COMPREPLY+=(\"$word\"); done < <(compgen -f -- \"$cur\"); return ;;\n", strings.Join(paths, "|"))
		}
		if len(values) > 0 {
			fmt.Fprintf(b, "                %s) return ;;\n", strings.Join(values, "|"))
		}
		fmt.Fprintf(b, "            esac\n            words='%s' ;;\n", strings.Join(words, " "))
	}
	b.WriteString(`    esac
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$cur")
}
complete -o filenames -F _farwire farwire
`)
}

func completeZsh(b *strings.Builder, all []completed) {
	quote := strings.NewReplacer(`'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`).Replace
	b.WriteString("#compdef farwire\n_farwire() {\n    local -a commands\n    commands=(\n")
	for _, c := range all {
		fmt.Fprintf(b, "        '%s:%s'\n", c.name, quote(c.help))
	}
	b.WriteString("    )\n    if ((CURRENT == 2)); then\n        _describe command commands\n        return\n    fi\n" +
		"    local command=$words[2]\n    shift words\n    ((CURRENT--))\n    case $command in\n")
	for _, c := range all {
		fmt.Fprintf(b, "        %s) _arguments", c.name)
		for _, f := range c.flags {
			fmt.Fprintf(b, " \\\n            '--%s[%s]", f.Name, quote(f.Help))
			switch {
			case f.IsBool():
			case isPath(f):
				fmt.Fprintf(b, ":%s:_files", quote(f.FormatPlaceHolder()))
			default:
				fmt.Fprintf(b, ":%s: ", quote(f.FormatPlaceHolder()))
			}
			b.WriteByte('\'')
		}
		if len(c.words) > 0 {
			fmt.Fprintf(b, " \\\n            '1: :(%s)'", strings.Join(c.words, " "))
		}
		b.WriteString(" ;;\n")
	}
	// Sourced, the function is told to the shell; from a folder of $fpath it is run.
	b.WriteString("    esac\n}\nif [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then\n    _farwire \"$@\"\nelse\n    compdef _farwire farwire\nfi\n")
}

func completeFish(b *strings.Builder, all []completed) {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace
	fmt.Fprintf(b, "# fish completion for farwire\ncomplete -c farwire -f\n")
	none := "not __fish_seen_subcommand_from " + strings.Join(names(all), " ")
	for _, c := range all {
		fmt.Fprintf(b, "complete -c farwire -n '%s' -a %s -d '%s'\n", none, c.name, quote(c.help))
	}
	for _, c := range all {
		seen := "__fish_seen_subcommand_from " + c.name
		for _, w := range c.words {
			fmt.Fprintf(b, "complete -c farwire -n '%s' -a %s\n", seen, w)
		}
		for _, f := range c.flags {
			fmt.Fprintf(b, "complete -c farwire -n '%s' -l %s -d '%s'", seen, f.Name, quote(f.Help))
			switch {
			case f.IsBool():
			case isPath(f):
				b.WriteString(" -r -F")
			default:
				b.WriteString(" -x")
			}
			b.WriteByte('\n')
		}
	}
}
