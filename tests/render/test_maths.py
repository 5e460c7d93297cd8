"""TeX for readers: what has a form in Unicode gets it, the rest stays TeX, and nothing raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.maths import render_mathml, render_maths, render_plain_maths, render_plain_title, to_unicode

TEX = st.lists(
    st.one_of(
        st.sampled_from(
            ["\\", "{", "}", "^", "_", "$", r"\frac", r"\sqrt", r"\text", r"\alpha", r"\left", r"\begin{matrix}", "&"]
        ),
        st.text(max_size=4),
    ),
    max_size=12,
).map("".join)


@given(TEX)
def test_no_tex_raises(tex: str) -> None:
    assert render_mathml(tex).startswith(("<math", "<code"))
    assert render_maths(tex).startswith(("<i>", "<code"))
    assert "\n" not in render_plain_maths(tex)
    assert render_plain_title(f"a {tex}").startswith("a ")


@pytest.mark.parametrize(
    ("tex", "shown"),
    [
        (r"\alpha^2", "α²"),
        (r"e^{i\pi}=-1", "e^(iπ)=−1"),
        (r"O(n \log n)", "O(n log n)"),
        (r"n\log n", "n log n"),
        (r"\frac{a+b}{2}", "(a+b)/2"),
        (r"\sqrt{d_k}", "√dₖ"),
        (r"W_{q}", "W_q"),
        (r"x_{<i}", "x_(<i)"),
        (r"a_{\text{max}}", "aₘₐₓ"),
        (r"2^{-k/2}", "2^(−k/2)"),
        (r"X^\top", "Xᵀ"),
        (r"\mathbb{R}^{d}", "ℝᵈ"),
        (r"\hat{y}", "ŷ"),
        (r"\mathrm{KL}(p\|q)", "KL(p‖q)"),
        (r"5\%", "5%"),
    ],
)
def test_common_maths_has_a_form_in_unicode(tex: str, shown: str) -> None:
    assert to_unicode(tex) == shown


@pytest.mark.parametrize("tex", ["x^", "{", "}", "\\", r"\frac{a}", r"\nosuchcommand", "a & b", "{" * 900, "x" * 2000])
def test_maths_without_a_form_in_unicode_stays_tex(tex: str) -> None:
    assert to_unicode(tex) is None
    assert render_maths(tex).startswith("<code>")
    assert render_plain_maths(tex) == tex


@pytest.mark.parametrize("tex", ["x_{", r"\frac{a}", r"\left(", "{" * 900, "x" * 2000])
def test_malformed_tex_is_shown_as_code_on_pages(tex: str) -> None:
    assert render_mathml(tex).startswith("<code>")


def test_markup_within_text_stays_text_on_pages() -> None:
    assert "<mtext>&lt;script&gt;x&lt;/script&gt;</mtext>" in render_mathml(r"\text{<script>x</script>}")


def test_commands_that_set_attributes_set_none_that_matter() -> None:
    shown = render_mathml(r"\href{javascript:x}{a}\class{b onclick=x}{c}\style{color:red}{d}")
    assert "javascript" not in shown
    assert "onclick" not in shown
    assert "style" not in shown
