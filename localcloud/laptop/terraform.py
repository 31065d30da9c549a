"""Runs Terraform on a copy of a configuration, against a local cloud."""

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from localcloud.core.errors import LocalCloudError
from localcloud.runner.process import OnLine, discard


class TerraformFailed(LocalCloudError):
    """Terraform ended with an error; `output` is all that it wrote."""

    def __init__(self, command: str, output: str) -> None:
        super().__init__(f"terraform {command} failed:\n{_errors(output)}")
        self.command = command
        self.output = output


def _errors(output: str) -> str:
    """Return what the output says from its first error on, or all of it."""
    _, found, rest = output.partition("\nError: ")
    return f"{found.lstrip()}{rest}".strip() if found else output.strip()


class TerraformMissing(LocalCloudError):
    """There is no terraform on the machine's PATH."""


@dataclass(frozen=True)
class Outcome:
    """What a command answered: its exit status and its whole output."""

    status: int
    output: str


class Workspace:
    """A root module in `directory`, whose google provider uses a local cloud.

    `endpoints` are the provider's arguments, written to a file in it; `variables` are passed to
    every command by environment, so that no argument list holds a secret. Requests to any other
    host go to `proxy`. Raises `TerraformMissing` where there is no terraform.
    """

    def __init__(
        self,
        directory: Path,
        *,
        endpoints: Mapping[str, str],
        proxy: str,
        variables: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        on_line: OnLine = discard,
    ) -> None:
        found = shutil.which("terraform")
        if not found:
            raise TerraformMissing(
                "terraform is not installed: see https://developer.hashicorp.com/terraform/install"
            )
        self.directory = directory
        self.variables = dict(variables or {})
        self.environ = dict(environ or {})
        self._terraform = found
        self._proxy = proxy
        self._on_line = on_line
        (directory / _provider_file(directory)).write_text(_provider(endpoints))

    async def init(self) -> None:
        """Fetch the providers."""
        await self.run("init", "-input=false")

    async def apply(self, *arguments: str) -> str:
        """Apply; return the output. Raises `TerraformFailed`."""
        return await self.run("apply", *_UNASKED, *arguments)

    async def plan(self, *arguments: str) -> str:
        """Plan; return the output. Raises `TerraformFailed`."""
        return await self.run("plan", "-input=false", *arguments)

    async def destroy(self, *arguments: str) -> str:
        """Destroy; return the output. Raises `TerraformFailed`."""
        return await self.run("destroy", *_UNASKED, *arguments)

    async def outputs(self) -> dict[str, Any]:
        """Return the outputs by name."""
        found = json.loads(await self.run("output", "-json"))
        return {name: output["value"] for name, output in found.items()}

    async def show(self, *arguments: str) -> dict[str, Any]:
        """Return the state, or a plan's file, as JSON."""
        shown: dict[str, Any] = json.loads(await self.run("show", "-json", *arguments))
        return shown

    async def run(self, command: str, *arguments: str) -> str:
        """Run a command; return its output, or raise `TerraformFailed`."""
        outcome = await self.attempt(command, *arguments)
        if outcome.status != 0:
            raise TerraformFailed(command, outcome.output)
        return outcome.output

    async def attempt(self, command: str, *arguments: str) -> Outcome:
        """Run a command; return how it ended. A cancelled wait interrupts it first."""
        told = command in _TELLING
        process = await asyncio.create_subprocess_exec(
            self._terraform,
            command,
            *(["-no-color"] if told else []),
            *arguments,
            cwd=self.directory,
            env=self._environ(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            # Errors must not mix with JSON output.
            stderr=asyncio.subprocess.STDOUT if told else asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        try:
            output = await (self._follow(process) if told else _whole(process))
            return Outcome(await process.wait(), output)
        except BaseException:
            # After an interrupt Terraform records what it has done, then ends.
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.communicate()
            raise

    async def _follow(self, process: asyncio.subprocess.Process) -> str:
        lines = []
        async for line in cast("asyncio.StreamReader", process.stdout):
            lines.append(line.decode(errors="replace"))
            self._on_line("terraform", lines[-1].rstrip())
        return "".join(lines)

    def _environ(self, command: str) -> dict[str, str]:
        given = {f"TF_VAR_{name}": _text(value) for name, value in self.variables.items()}
        # Providers are fetched from where they are; loopback is never reached by a proxy.
        proxied = {} if command == "init" else {"HTTPS_PROXY": self._proxy}
        return {**_inherited(), **_ALWAYS, **proxied, **given, **self.environ}


def _inherited() -> dict[str, str]:
    environ = dict(os.environ)
    # From a directory of packed providers Terraform unpacks into the cache each time, and fails
    # where another process runs a cached provider.
    if "-plugin-dir" in environ.get("TF_CLI_ARGS_init", ""):
        environ.pop("TF_PLUGIN_CACHE_DIR", None)
    return environ


_ALWAYS = {
    "CHECKPOINT_DISABLE": "1",
    "TF_IN_AUTOMATION": "1",
    # The copy has no lock file to break; without this, a plugin cache is not used.
    "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
}

# The provider spends most of the time waiting, which can be done in parallel.
_UNASKED = ("-auto-approve", "-input=false", "-parallelism=30")

_TELLING = frozenset({"init", "apply", "plan", "destroy"})


_LONGEST_LINE = 64 << 20


async def _whole(process: asyncio.subprocess.Process) -> str:
    output, errors = await process.communicate()
    return (output if process.returncode == 0 else output + errors).decode(errors="replace")


def _provider(endpoints: Mapping[str, str]) -> str:
    arguments = {"access_token": "x", **endpoints}
    lines = "".join(f"  {name} = {json.dumps(value)}\n" for name, value in arguments.items())
    # The provider gathers changes to a policy for three seconds; one is enough here.
    batching = '  batching {\n    send_after = "1s"\n  }\n'
    return f'provider "google" {{\n{lines}{batching}}}\n'


def _provider_file(directory: Path) -> str:
    """Return the name of the file that configures the provider."""
    declared = any('provider "google"' in path.read_text() for path in directory.glob("*.tf"))
    return "local_cloud_override.tf" if declared else "local_cloud.tf"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
