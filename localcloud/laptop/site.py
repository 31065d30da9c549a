"""A whole deployment on this machine: a local cloud, a simulated Gemini, and Terraform."""

import contextlib
import dataclasses
import math
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.controlplane.cloud import Cloud, Settings
from localcloud.controlplane.realism import LENIENT, Realism
from localcloud.controlplane.roles import OWNER
from localcloud.core.clock import SystemClock
from localcloud.core.errors import OptionError
from localcloud.core.fast_clock import FastClock
from localcloud.core.serving import AppServer
from localcloud.gemini import Gemini
from localcloud.gemini import Settings as GeminiSettings
from localcloud.laptop.terraform import Workspace
from localcloud.runner.process import OnLine, discard

CHECKOUT = Path(__file__).resolve().parents[2]
REGION = "europe-west1"
NAME = "gemini-webhooks"
API_KEY = "local-gemini-api-key"  # nobody's: the simulator alone takes it
_LEAVINGS = shutil.ignore_patterns(
    "__pycache__", ".terraform*", "*.tfstate*", "*.tfplan", "*.tfvars", "tests"
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a deployment.

    `directory` takes a copy of what is deployed, and Terraform's state. `root` is the root module,
    relative to the checkout. `variables` are added to those that any deployment here needs.
    `schedule_rate` says how many times as fast as the machine's clock the schedules' runs.
    `realism`, `deployer_roles` and `freeze` are the local cloud's.
    """

    directory: Path
    root: str = "infra"
    variables: Mapping[str, Any] = field(default_factory=dict)
    gemini: GeminiSettings = field(default_factory=GeminiSettings)
    schedule_rate: float = 20.0
    list_lag_seconds: float = 0.0
    realism: Realism = LENIENT
    deployer_roles: Sequence[str] = (OWNER,)
    freeze: bool = True
    on_line: OnLine = discard


class Site:
    """A local cloud, a simulated Gemini at `gemini_url`, and a Terraform workspace for both.

    Nothing is applied at first.
    """

    def __init__(self, options: Options, cloud: Cloud, simulator: Gemini, gemini_url: str) -> None:
        self.options = options
        self.cloud = cloud
        self.gemini = simulator
        self.gemini_url = gemini_url
        copy_deployable(options.directory)
        self.terraform = Workspace(
            options.directory / options.root,
            endpoints=cloud.endpoints,
            proxy=cloud.outside.url,
            variables={**self._variables(), **options.variables},
            environ={"REGISTRAR_IDENTITY_TOKEN": cloud.deployers_token(self.registrar_audience)},
            on_line=options.on_line,
        )

    def _variables(self) -> dict[str, Any]:
        project, realism = self.cloud.state.project.id, self.options.realism
        return {
            "project": project,
            "region": REGION,
            "deployer": self.cloud.state.deployer,
            "gemini_api_key": API_KEY,
            "gemini_base_url": self.gemini_url,
            "ledger": {"delete_protection": False},
            # In seconds of the machine, which the delays of the local cloud may not outlast.
            "activation_seconds": math.ceil(
                max(realism.service_activation_seconds, realism.agent_creation_seconds)
                / realism.rate
            ),
            "propagation_seconds": math.ceil(realism.grant_propagation_seconds / realism.rate),
            "verification": {
                "jwks_uri": f"{self.gemini_url}/.well-known/jwks.json",
                "schemes": ["v1", "v1a", "jwt"],
                "jwt_audiences": [self.gemini.settings.jwt_audience],
            },
        }

    @property
    def registrar_audience(self) -> str:
        """The audience of the tokens that the registrar accepts."""
        name = self.options.variables.get("name", NAME)
        return f"https://{name}-registrar-{self.cloud.state.project.number}.{REGION}.run.app"


@contextlib.asynccontextmanager
async def site(options: Options) -> AsyncIterator[Site]:
    """Run a site while the block lasts; Terraform's providers are fetched before it begins.

    Raises `TerraformMissing`, or `OptionError` where there is no checkout.
    """
    settings = Settings(
        schedule_clock=FastClock(SystemClock(), options.schedule_rate),
        list_lag_seconds=options.list_lag_seconds,
        realism=options.realism,
        deployer_roles=options.deployer_roles,
        freeze=options.freeze,
        on_line=options.on_line,
    )
    audience = options.gemini.jwt_audience or settings.project.id
    simulator = Gemini(settings=dataclasses.replace(options.gemini, jwt_audience=audience))
    async with AppServer(simulator.app) as server, Cloud(settings) as cloud:
        made = Site(options, cloud, simulator, server.url)
        try:
            await made.terraform.init()
            yield made
        finally:
            await simulator.close()


def copy_deployable(directory: Path) -> None:
    """Copy what a deployment is made from; `OptionError` if this is no checkout."""
    for name in ("functions", "infra"):
        if not (CHECKOUT / name).is_dir():
            raise OptionError(f"{CHECKOUT} is no checkout of the relay: there is no {name}/ in it")
        shutil.copytree(CHECKOUT / name, directory / name, ignore=_LEAVINGS, dirs_exist_ok=True)
    shutil.copy(CHECKOUT / "requirements.txt", directory)
