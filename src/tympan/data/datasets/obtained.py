"""A folder of samples that need not be there yet: loaded, else fetched, else generated, and it says which."""

from dataclasses import replace
from functools import cached_property
from typing import Any

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from ...component import assume, did_you_mean
from .. import Source, kac_drumset, storage
from .. import official as published
from ..dataset_folder import DATASET, read_about
from ..fetch import fetch as fetch_archive
from ..generate import generate
from ..recordings import Recording
from ..synthesizers import Synthesizer
from .recorded import Recorded


def _official(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"enum": list(published.files())}, {"type": "null"}]


class Obtained(Recorded):
    """What kac_prediction's `importDataset` does, without a question asked.

    The folder is loaded where it is there, be it of `tympan generate` or of kac_drumset; else `official` is fetched, if
    it is named; else, or where that fails, `otherwise` is generated. All of that happens when the first recording is
    asked for, once, and the folder is there from then on. A run that names features records them in the folder, as
    `tympan transform` does. The remarks, and with them the report, say what was done.
    """

    official: str | None = Field(default=None, json_schema_extra=_official)
    """The published dataset to fetch; nothing is fetched without its name here."""
    otherwise: SerializeAsAny[Source] | None = None
    """The synthesizer to generate from, whose `sample_rate` and `duration` are those above unless it says others."""
    renamed: dict[str, str] = {}
    """What the folder calls a value -> what it is called here, where the folder has it: a published dataset and what is
    generated in its place need not have the same names; `{drum_size: diameter}`."""

    @model_validator(mode="before")
    @classmethod
    def _one_sound(cls, value: Any) -> Any:
        """Give the synthesizer the rate and the length of what is heard."""
        if not isinstance(value, dict) or not isinstance(value.get("otherwise"), dict | str):
            return value
        said = {name: value[name] for name in ("sample_rate", "duration") if name in value}
        own = {"type": value["otherwise"]} if isinstance(value["otherwise"], str) else value["otherwise"]
        return {**value, "otherwise": {**said, **own}}

    @field_validator("official")
    @classmethod
    def _published(cls, name: str | None) -> str | None:
        names = list(published.files())
        if name is not None and name not in names:
            raise ValueError(f"no official dataset is called so; one of: {', '.join(names)}{did_you_mean(name, names)}")
        return name

    @field_validator("otherwise")
    @classmethod
    def _makes_sound(cls, source: Source | None) -> Source | None:
        if source is not None and not isinstance(source, Synthesizer):
            raise ValueError(f"{source.type} makes no sound; name a synthesizer: {', '.join(Synthesizer.names())}")
        return source

    @model_validator(mode="after")
    def _has_a_way(self) -> "Obtained":
        if self.official is None and self.otherwise is None:
            raise ValueError("name `official`, `otherwise`, or both; a folder that is there already is type: recorded")
        return self

    @cached_property
    def told(self) -> list[str]:
        """How the folder was obtained, in words; asking for it obtains it.

        Raises:
            ValueError: it is not there, and there is no way to have it; the message lists what to do.
            OSError: there is no room for it.
        """
        begun = self._begun()
        if begun == "whole":
            return [self._loaded()]
        if storage.is_remote(self.root):
            raise ValueError(f"{self.root} holds no dataset, and only a local folder can be made; name one")
        why = ""
        if self.official and not begun:
            assume(f"{self.root} is not there: {self.official} is being fetched into it, which may take long")
            try:
                fetch_archive(self.official, self.root)
            except ValueError as error:
                if self.otherwise is None:
                    raise ValueError(f"{error}; or say in `otherwise` what is to be generated in its place") from error
                why = f", since {error}"
            else:
                return [f"{self.root} was not there, and {self.official} was fetched into it"]
        if self.otherwise is None:
            raise ValueError(f"{self.root} is a dataset that is not complete; remove it, and it will be obtained anew")
        generate(self.otherwise, self.root)
        what = f"{len(self.otherwise)} examples of {self.otherwise.type}"
        return [f"{self.root} was {begun or 'not there'}, and {what} were generated into it{why}"]

    def _begun(self) -> str:
        """`whole`, `not complete`, or nothing where there is no folder or an empty one."""
        if storage.exists(storage.join(self.root, DATASET)):
            about = read_about(self.root)
            return "whole" if {"metadata_sha256", "features"} & about.keys() else "not complete"
        if kac_drumset.find(self.root):
            return "whole"
        if storage.is_folder(self.root) and storage.listing(self.root):
            raise ValueError(
                f"{self.root} is there but holds neither {DATASET} nor kac_drumset's {kac_drumset.METADATA}; nothing "
                "was changed: move it, or name another folder"
            )
        return ""

    def _loaded(self) -> str:
        about = self._as_it_is.about
        made = about["source"].get("type")
        theirs = (about["source"].get("kac_drumset") or {}).get("name", "an unknown sampler")
        told = f"{self.root} was loaded: {about['examples']} examples of {made or f'kac_drumset ({theirs})'}"
        if made and self.otherwise:
            wanted = self.otherwise.model_dump(mode="json")
            differ = [k for k in wanted if wanted[k] != about["source"].get(k)]
            if differ:
                told += f", which differ from `otherwise` in {', '.join(differ)}; remove the folder to make it anew"
        if made and self.official:
            told += f"; {self.official} was not fetched, remove the folder to try"
        return told

    @property
    def _as_it_is(self) -> Recorded:
        """The folder alone, which is read again each time."""
        return Recorded.model_validate(
            {"type": "recorded", **{name: getattr(self, name) for name in ("root", "sample_rate", "duration")}}
        )

    def ready(self) -> None:
        _ = self.told

    def remarks(self) -> list[str]:
        return list(self.told)

    @property
    def own_features(self) -> Any:
        """As for any folder; nothing is obtained for it."""
        return self._as_it_is.own_features if self._begun() == "whole" else None

    @property
    def units(self) -> dict[str, str]:
        return {self.renamed.get(name, name): unit for name, unit in super().units.items()}

    @property
    def rates(self) -> dict[str, float]:
        return {self.renamed.get(name, name): rate for name, rate in super().rates.items()}

    def recordings(self) -> list[Recording]:
        for told in self.told:
            assume(told)
        return [self._called(recording) for recording in super().recordings()]

    def _called(self, recording: Recording) -> Recording:
        values = {self.renamed.get(name, name): value for name, value in recording.values.items()}
        if len(values) < len(recording.values):
            raise ValueError(f"renamed: {self.root} has a value of the new name already; choose another one")
        return replace(recording, values=values)
