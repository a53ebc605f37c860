"""Reads a Dockerfile and a .dockerignore, as far as ours go."""

import dataclasses
import json
import re
import shlex


@dataclasses.dataclass
class Instruction:
    name: str
    # Of RUN and COPY: what stands before the words, such as --from=build.
    flags: list
    text: str

    def words(self):
        """The words of the exec form, or of what is written like a command."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)

    def flag(self, name):
        values = [flag.split("=", 1)[1] for flag in self.flags if flag.startswith(f"--{name}=")]
        return values[0] if values else None


@dataclasses.dataclass
class Stage:
    image: str
    name: str | None
    instructions: list

    def all(self, name):
        return [one for one in self.instructions if one.name == name]

    def last(self, name):
        return self.all(name)[-1]


def stages(text):
    """The stages, with the ARGs before the first FROM put into the images' names."""
    arguments, found = {}, []
    for one in instructions(text):
        if one.name == "FROM":
            image, _, name = one.text.partition(" AS ")
            image = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], image)
            found.append(Stage(image, name or None, []))
        elif found:
            found[-1].instructions.append(one)
        elif one.name == "ARG":
            name, _, value = one.text.partition("=")
            arguments[name] = value
        else:
            raise ValueError(f"{one.name} before FROM")
    return found


def instructions(text):
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        name, rest = line.split(None, 1)
        flags = []
        while match := re.match(r"(--\S+)\s+", rest):
            # HEALTHCHECK's are kept, too.
            flags.append(match[1])
            rest = rest[match.end():]
        yield Instruction(name.upper(), flags, rest.strip())


class Ignored:
    """What a .dockerignore leaves out: the last line that fits decides, also of all that is below."""

    def __init__(self, text):
        lines = [line.strip() for line in text.splitlines()]
        self.rules = [
            (not line.startswith("!"), pattern(line.removeprefix("!").strip("/")))
            for line in lines if line and not line.startswith("#")
        ]

    def has(self, path):
        parts = path.split("/")
        above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        ignored = False
        for ignores, rule in self.rules:
            if any(rule.fullmatch(one) for one in above):
                ignored = ignores
        return ignored


def pattern(line):
    translated = re.escape(line).replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*")
    return re.compile(translated.replace(r"\*", "[^/]*").replace(r"\?", "[^/]"))
