"""The page: pictures on one side, a form with its answers for each task on the other, facts about the models below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ..answering.picture_limits import PictureLimits
from ..core.formatting import counted
from .cards import answers_html, empty_card, models_html
from .examples import Example, examples_of
from .form import Form, forms
from .handlers import Handlers, sentence
from .shown_model import ShownModel
from .uploads import uploads_folder

if TYPE_CHECKING:
    import gradio as gr

#: Seconds between looks for old uploads, and after which one is old.
_TIDY, _OLD = 600, 3600
#: Events that answer take turns: two at once would take each other's processors, and their times would say nothing.
_IN_TURN: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "answers"}
#: Visitors with a screen reader are told of answers that come.
SCRIPT = """() => {
  document.documentElement.lang = 'en';
  document.querySelectorAll('.st-live').forEach(part => part.setAttribute('aria-live', 'polite'));
}"""


def styles() -> str:
    """The page's own CSS."""
    return (files(__package__) / "templates" / "page.css").read_text(encoding="utf-8")


def theme() -> Any:
    """Gradio's own theme with more contrast, and fonts of the visitor's system: nothing is loaded from elsewhere."""
    import gradio as gr

    fonts = [gr.themes.Font("system-ui"), gr.themes.Font("sans-serif")]
    found = gr.themes.Default(primary_hue="blue", font=fonts, font_mono=[gr.themes.Font("monospace")])
    return found.set(
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        input_placeholder_color="#6b6b76",
        input_placeholder_color_dark="#9a9aa5",
    )


@dataclass(frozen=True)
class _Pictures:
    """The components for pictures; the second is hidden where no model is about two."""

    first: gr.Image
    second: gr.Image


def make_page(models: Sequence[ShownModel], limits: PictureLimits) -> gr.Blocks:
    """The page for some models, not served yet.

    Args:
        models: in their order.
        limits: of pictures.

    Raises:
        InputError: the results of a run, whose examples are shown, were edited.
    """
    import gradio as gr

    handlers = Handlers({model.name: model for model in models}, limits)
    found = forms(models)
    page: gr.Blocks
    with gr.Blocks(title="SkipTune", analytics_enabled=False, delete_cache=(_TIDY, _OLD)) as page:
        gr.Markdown(f"# Ask {counted(len(models), 'models')}\nGive a picture, ask, and compare answers and times.")
        with gr.Row():
            with gr.Column(scale=2, min_width=280, elem_classes="st-pictures"):
                pictures = _pictures(handlers, [form.title for form in found if form.takes_two])
                shelf = gr.Column()
            with gr.Column(scale=3, min_width=300):
                for form in found:
                    _form(form, pictures, handlers, shelf)
        gr.Markdown("## The models")
        gr.HTML(models_html(models))
        _endpoint(handlers, pictures.first)
    return page


def _pictures(handlers: Handlers, about_two: Sequence[str]) -> _Pictures:
    import gradio as gr

    notice: Any = gr.HTML(elem_classes="st-live", render=False)

    def made(label: str, visible: bool) -> gr.Image:
        picture = gr.Image(
            label=label, type="filepath", sources=["upload", "clipboard"], height=280, buttons=[], visible=visible
        )
        picture.GRADIO_CACHE = str(uploads_folder())
        picture.upload(
            handlers.check_picture, picture, notice, preprocess=False, api_visibility="private", show_progress="hidden"
        )
        picture.clear(lambda: "", None, notice, api_visibility="private", show_progress="hidden")
        return picture

    second = f"Second picture, for {', '.join(about_two).lower()}"
    found = _Pictures(made("Picture", True), made(second, bool(about_two)))
    notice.render()
    return found


def _form(form: Form, pictures: _Pictures, handlers: Handlers, shelf: gr.Column) -> None:
    """A field for the text, a button, the answers, and examples beside the pictures."""
    import gradio as gr

    gr.Markdown(f"## {form.title}")
    text = gr.Textbox(label=form.label, placeholder=form.example, lines=form.lines, max_lines=max(4, form.lines))
    options = gr.Textbox(label="Answers to choose from, one a line; none: it writes", lines=2, visible=form.writes)
    button = gr.Button("Ask", variant="primary")
    answers = gr.HTML(answers_html([empty_card(model) for model in form.models]), elem_classes="st-live")
    gr.on(
        [button.click, text.submit],
        _generator(handlers, form),
        [pictures.first, text, pictures.second, options],
        answers,
        preprocess=False,
        api_visibility="private",
        show_progress="minimal",
        **_IN_TURN,
    )
    examples = examples_of(form)
    if examples:
        with shelf:
            gr.Markdown(f"Examples: {form.title.lower()}" if len(handlers.models) > len(form.models) else "Examples")
            for example in examples:
                _example(example, pictures.first, text)


def _generator(handlers: Handlers, form: Form) -> Callable[..., Iterator[str]]:
    """A function that Gradio takes for a generator, which it tells by its code."""

    def answer(picture: Any, text: Any, picture2: Any, options: Any) -> Iterator[str]:
        yield from handlers.answer(form, picture, text, picture2, options)

    return answer


def _example(example: Example, picture: gr.Image, text: gr.Textbox) -> None:
    import gradio as gr

    button = gr.Button(example.text or "a picture", icon=str(example.picture), size="sm")
    button.keep_in_cache |= button.temp_files  # they are no uploads, which are removed
    given = partial(_given, example)
    button.click(given, None, [picture, text], api_visibility="private", show_progress="hidden")


def _given(example: Example) -> tuple[str, str]:
    return str(example.picture), example.text


def _endpoint(handlers: Handlers, like: gr.Image) -> None:
    """``/ask`` for clients."""
    import gradio as gr

    def ask(
        model: str, picture: Any = None, text: str = "", picture2: Any = None, options: str = "", top: int = 5
    ) -> Any:
        from gradio.exceptions import Error

        from ..core.errors import InputError, RunError

        try:
            return handlers.ask(model, picture, text, picture2, options, top)
        except (InputError, RunError) as error:
            raise Error(sentence(error), print_exception=False) from None

    hidden: dict[str, Any] = {"visible": False}
    inputs = [
        gr.Textbox(next(iter(handlers.models)), label="Name of the model", **hidden),
        gr.Image(label="Picture", type="filepath", **hidden),
        gr.Textbox("", label="Question, statement, or captions one a line", **hidden),
        gr.Image(label="Second picture", type="filepath", **hidden),
        gr.Textbox("", label="Answers to choose from, one a line", **hidden),
        gr.Number(5, label="How many answers", **hidden),
    ]
    gr.Button(**hidden).click(
        ask, inputs, gr.JSON(label="Answers", **hidden), preprocess=False, api_name="ask", **_IN_TURN
    )
