"""What the tools in Python share: a wrong call is answered with one line on standard error and exit status 2."""
import argparse
import difflib
import sys


def refuse(program, message, most=400):
    """Ends the program; `message` may quote what came."""
    plain = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in message)
    print(f"{program}: {plain if len(plain) <= most else plain[:most] + '…'}", file=sys.stderr)
    sys.exit(2)


class Parser(argparse.ArgumentParser):
    """As argparse's, whose errors also show the usage; names the option that is written nearly like an unknown one."""

    options = []  # of all parsers: those of a command may come to the one above it

    def add_argument(self, *names, **settings):
        Parser.options += [name for name in names if name.startswith("--")]
        return super().add_argument(*names, **settings)

    def error(self, message):
        words = [word.split("=")[0] for word in message.split() if word.startswith("-")]
        near = difflib.get_close_matches(words[0], Parser.options, 1) if words else []
        suggestion = f": did you mean {near[0]}?" if "unrecognized" in message and near else ""
        refuse(self.prog.split()[0], f"{message}{suggestion} (see --help)")


def run(program, main):
    """The exit status of main(); one line for a file or directory that the system refuses."""
    try:
        return main()
    except OSError as error:
        names = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
        refuse(program, f"{names}: {error.strerror}" if names else str(error))
