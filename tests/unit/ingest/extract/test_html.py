import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.markup.html import extract_html
from searchkit.types import Block, BlockKind

SPHINX = """<!DOCTYPE html><html><head><meta charset="utf-8"><title>shelve &#8212; Manual</title></head><body>
<div class="related" role="navigation"><ul><li><a href="x">index</a></li></ul></div>
<div class="document"><div class="body" role="main"><section id="shelve">
<h1><code><span>shelve</span></code> — Persistence<a class="headerlink" href="#shelve" title="Permalink">¶</a></h1>
<p>A “shelf” is a
dictionary.</p>
<dl class="py function"><dt><code>shelve.open</code>(<em>filename</em>, <em>flag='c'</em>)<a class="headerlink" href="#o">¶</a></dt>
<dd><p>Open a shelf.</p></dd></dl>
<div class="highlight"><pre><span></span><span>import</span> <span>shelve</span>

<span>d</span> <span>=</span> <span>shelve</span><span>.</span><span>open</span><span>()</span>
</pre></div>
<table class="docutils"><thead><tr class="row-odd"><th class="head"><p>Flag</p></th>
<th class="head"><p>Meaning</p></th>
</tr></thead><tbody><tr class="row-even"><td><p>'c'</p></td>
<td><p>create</p><p>if needed</p></td>
</tr></tbody></table>
<aside class="footnote"><p>Since version 2.</p></aside>
</section></div></div>
<div class="sphinxsidebar" role="navigation"><h3>Navigation</h3><p>Previous topic</p></div>
<script>var hidden = 1;</script></body></html>"""


def blocks(page: str) -> tuple[Block, ...]:
    return tuple(extract_html(page.encode()).blocks)


def texts(page: str) -> list[str]:
    return [block.text for block in blocks(page)]


def test_a_page_of_documentation_is_its_main_part_under_its_headings() -> None:
    page = extract_html(SPHINX.encode())
    assert page.title == "shelve — Persistence"
    assert [(block.kind, block.text) for block in page.blocks] == [
        (BlockKind.HEADING, "shelve — Persistence"),
        (BlockKind.PARAGRAPH, "A “shelf” is a dictionary."),
        (BlockKind.PARAGRAPH, "shelve.open(filename, flag='c')"),
        (BlockKind.PARAGRAPH, "Open a shelf."),
        (BlockKind.CODE, "import shelve\n\nd = shelve.open()"),
        (BlockKind.TABLE, "Flag | Meaning"),
        (BlockKind.TABLE, "'c' | create if needed"),
        (BlockKind.PARAGRAPH, "Since version 2."),
    ]
    assert {block.headings for block in page.blocks} == {("shelve — Persistence",)}


def test_the_title_is_the_first_h1_else_that_of_the_page() -> None:
    assert extract_html(b"<title>Page</title><h3>Aside</h3><h1>Main</h1>x").title == "Main"
    assert extract_html(b"<title> Page\n name </title><h2>Part</h2>x").title == "Page name"
    assert extract_html(b"<body><svg><title>Icon</title></svg><p>x").title == ""


def test_a_page_without_a_body_is_found_by_what_its_head_says() -> None:
    page = extract_html(b"<title>Loading</title>")
    assert (page.title, page.blocks) == ("Loading", (Block("Loading"),))
    assert texts('<title>Curtains</title><meta name=description content="Velvet  ones">') == ["Curtains", "Velvet ones"]
    assert texts("<title>Atlas</title><img src=a.png alt='Map of saxifrage'>") == ["Map of saxifrage"]


def test_what_the_head_says_is_metadata() -> None:
    page = extract_html(
        b"<head><title>Invoice 117</title><meta name=Description content=Velvet><meta property=og:url content=x>"
        b"<link rel=canonical href=https://a.example/b><meta name=date content=2024-05-06></head><h1>Welcome</h1>"
    )
    assert page.title == "Welcome"
    assert page.metadata == {
        "description": "Velvet", "url": "x", "date": "2024-05-06", "page title": "Invoice 117"
    }  # fmt: skip


def test_what_pictures_and_abbreviations_stand_for_is_read() -> None:
    page = "<p>See <img alt='a chart of yields' title='Yields'> by <abbr title='United Nations'>UN</abbr>"
    assert texts(page) == ["See Yields: a chart of yields by UN (United Nations)"]
    drawn = "<p>x<svg aria-label=Plan><title>Rooms</title><text>Hall</text></svg> <math><mi>y</mi></math>"
    assert texts(drawn) == ["x Plan Rooms Hall y"]


def test_addresses_behind_words_are_read_unless_they_lead_elsewhere_on_the_site() -> None:
    page = (
        "<p>Notes <a href='https://bees.example/losses'>here</a>, <a href='#top'>up</a>, <a href=next.html>on</a>.</p>"
    )
    assert texts(page) == ["Notes here (https://bees.example/losses), up, on."]
    assert texts("<a href='mailto:ada@a.example'>ada@a.example</a>") == ["ada@a.example"]
    assert texts("<h1><a href='https://a.example/x'>Head</a></h1>") == ["Head", "https://a.example/x"]
    many = "".join(f"word <a href='https://en.example/page-about-{i}'>link{i}</a> " for i in range(9))
    text, behind = texts(f"<p>{many}</p>")
    assert "http" not in text
    assert behind.split("\n")[0] == "link0 (https://en.example/page-about-0)"


def test_bookmarks_of_a_browser_keep_their_addresses() -> None:
    page = "<DL><p><DT><H3>Shop</H3><DL><p><DT><A HREF='https://lathe.example/a'>Chucks</A>\n<DT><A HREF='https://saw.example/t/9'>Dust</A></DL></DL>"
    assert texts(page) == ["Shop", "Chucks (https://lathe.example/a)", "Dust (https://saw.example/t/9)"]


@pytest.mark.parametrize("page", ["", "  \n", "<!-- only a comment -->", "<frameset><frame src=x></frameset>"])
def test_a_page_without_text_has_no_blocks(page: str) -> None:
    assert blocks(page) == ()


def test_headings_end_those_of_their_level_and_below() -> None:
    found = blocks("<h1>A</h1><h2>B</h2><h3>C</h3><h2>D</h2><p>x</p>")
    assert found[-1].headings == ("A", "D")


@pytest.mark.parametrize("wrapper", ["article", "main", "div role=main"])
def test_a_header_inside_the_main_part_holds_its_title(wrapper: str) -> None:
    page = f"<header>Site</header><{wrapper}><header><h1>Title</h1><p>by Ada</p></header><p>text</p>"
    assert texts(page) == ["Title", "by Ada", "text", "Site"]
    assert extract_html(page.encode()).title == "Title"


_LINKS = "<ul><li><a href=a>One</a><li><a href=b>Two</a><li><a href=c>Three</a></ul>"


def test_navigation_scripts_and_controls_are_left_out() -> None:
    page = (
        "<body><nav>menu</nav><div role=navigation>path</div><p>x <script>var a=1</script>y <style>p{}</style>z</p>"
        f"<select><option>One<option selected>Two</select><button>Send</button><footer>{_LINKS}</footer></body>"
    )
    assert texts(page) == ["x y z", "Two"]


def test_what_stands_around_the_main_part_is_read_after_it_without_lists_of_links() -> None:
    page = (
        f"<header>{_LINKS}<p>Invoice 117</p></header><div>{_LINKS}</div><main><p>text</p>{_LINKS}</main>"
        "<aside>Note</aside><footer>IBAN XX12</footer>"
    )
    assert texts(page) == ["text", "One", "Two", "Three", "Invoice 117", "Note", "IBAN XX12"]


def test_a_page_without_a_main_part_is_read_in_its_order() -> None:
    page = f"<header>{_LINKS}<h1>Invoice 117</h1></header><p>text</p>{_LINKS}<footer>IBAN XX12</footer>"
    assert texts(page) == ["Invoice 117", "text", "One", "Two", "Three", "IBAN XX12"]


def test_a_page_that_is_one_form_is_read() -> None:
    assert texts("<body><form action=x><h1>News</h1><p>The text.</p></form>") == ["News", "The text."]


def test_a_main_part_that_holds_hardly_anything_is_not_the_page() -> None:
    assert texts("<body><main></main><p>all the text</p>") == ["all the text"]
    assert texts("<body><main>short</main><p>" + "long " * 50) == ["short", "long " * 49 + "long"]


def test_articles_side_by_side_are_all_read() -> None:
    assert texts("<body><article>one</article><article>two</article>") == ["one", "two"]


def test_comments_inside_an_article_do_not_make_the_page_a_list() -> None:
    page = "<body><div>chrome</div><article><p>the story</p><article>a comment</article></article>"
    assert texts(page) == ["the story", "a comment", "chrome"]


def test_text_outside_of_any_block_is_read() -> None:
    assert texts("just words") == ["just words"]
    assert texts("<body>bare <b>bold</b> words<br>second<hr>third") == ["bare bold words", "second", "third"]


def test_nested_lists_and_definitions_keep_every_item() -> None:
    assert texts("<ul><li>a<ul><li>b<li>c</ul>tail<li>d</ul>") == ["a", "b", "c", "tail", "d"]
    assert texts("<dl><dt>Term<dd>Meaning<dt>Other<dd>Sense</dl>") == ["Term", "Meaning", "Other", "Sense"]


def test_a_row_is_read_across_whatever_its_cells_hold() -> None:
    page = """<table><caption>Prices</caption>
    <tr>
      <th>Part</th>
      <th>Price</th>
    </tr>
    <tr>
      <td><ul><li>bolt<li>nut</ul></td>
      <td></td>
      <td><div>3<br>each</div></td>
    </tr></table>after"""
    assert texts(page) == ["Prices", "Part | Price", "bolt nut |  | 3 each", "after"]


def test_cells_that_span_rows_and_columns_keep_the_others_in_their_place() -> None:
    rows = "<tr><th>Room<th colspan=2>Size<th>Floor<tr><td rowspan=2>Hall<td>3<td>4<td><tr><td>5<td>6<td>top"
    found = blocks(f"<table>{rows}</table>")
    assert [block.text for block in found] == ["Room | Size |  | Floor", "Hall | 3 | 4", "Hall | 5 | 6 | top"]
    assert {block.columns for block in found} == {"Room | Size |  | Floor"}


def test_a_page_laid_out_as_a_table_is_read_cell_by_cell() -> None:
    page = "<table><tr><td>left<td><h2>Head</h2><p>text<table><tr><td>in<td>ner</table></table>"
    found = blocks(page)
    assert [block.text for block in found] == ["left", "Head", "text", "in | ner"]
    assert found[-1].headings == ("Head",)


def test_code_keeps_its_lines() -> None:
    (code, after) = blocks("<p>\n\n<pre>\n\nif x:\n    y\n</pre>after")
    assert (code.kind, code.text, code.line, code.line_end) == (BlockKind.CODE, "if x:\n    y", 5, 6)
    assert after.text == "after"
    assert texts("<pre>one<br>two</pre>") == ["one\ntwo"]


def test_comments_are_not_text_but_what_follows_them_is() -> None:
    assert texts("<p>a<!-- secret -->b</p><!-- x -->c<p>d <![CDATA[gone]]> e<?pi x?> f") == ["ab", "c", "d e f"]


def test_entities_are_characters_and_soft_hyphens_part_no_words() -> None:
    assert texts("<p>caf&eacute; &amp; &lt;b&gt;&nbsp;x &#8212; Zu&shy;sam&shy;men") == ["café & <b> x — Zusammen"]


@pytest.mark.parametrize(
    "page",
    [
        "<p>café".encode(),
        b'<meta charset="iso-8859-1"><p>caf\xe9',
        b'<meta http-equiv="Content-Type" content="text/html; charset=windows-1252"><p>caf\xe9',
        b'<?xml version="1.0" encoding="iso-8859-1"?><html><body><p>caf\xe9</p></body></html>',
        b"<p>caf\xe9",
        "<p>café".encode("utf-16"),
        '<meta charset="iso-8859-1"><p>café'.encode(),
    ],
)
def test_characters_are_read_whatever_the_page_says_or_leaves_unsaid(page: bytes) -> None:
    assert [block.text for block in extract_html(page).blocks] == ["café"]


def test_an_encoding_that_no_one_knows_is_passed_over() -> None:
    (block,) = extract_html(b'<?xml version="1.0" encoding="klingon"?><p>plain \xe9').blocks
    assert block.text.startswith("plain")


def test_deep_nesting_loses_nothing_or_is_refused() -> None:
    for depth in (300, 1500):
        assert texts("<p>before</p>" + "<div>" * depth + "deep" + "</div>" * depth + "<p>after") == [
            "before",
            "deep",
            "after",
        ]
    with pytest.raises(UnreadableFileError, match="nested too deeply"):
        blocks("<p>before</p>" + "<div>" * 5000 + "deep" + "</div>" * 5000 + "<p>after")


def test_binary_content_is_refused() -> None:
    with pytest.raises(UnreadableFileError, match="binary content"):
        extract_html(b"\x00\x01\x02")


def test_lines_are_those_of_the_file() -> None:
    found = blocks("<p>one</p>\n<p>two\nmore</p>\n\n<p>three</p>")
    assert [block.line for block in found] == [1, 2, 5]


def test_what_stands_beside_a_main_part_of_links_is_no_navigation() -> None:
    page = f"<div><p>Invoice 117</p><div>{_LINKS}</div><main>{_LINKS * 3}</main></div>"
    assert texts(page)[-1] == "Invoice 117"


@pytest.mark.parametrize(
    "own",
    ["<link rel=canonical href=https://a.example/x>", "<!-- saved from url=(0017)https://a.example/ -->"],
)
def test_links_to_other_pages_of_a_saved_pages_site_are_navigation(own: str) -> None:
    head, comment = (own, "") if own.startswith("<link") else ("", own)
    links = "<a href=https://a.example/y>on</a> <a href=https://b.example/z>off</a>"
    page = extract_html(f"<!DOCTYPE html>\n{comment}\n<html><head>{head}</head><body><p>Go {links}".encode())
    assert page.metadata["url"].startswith("https://a.example/")
    assert [block.text for block in page.blocks] == ["Go on off (https://b.example/z)"]


def test_of_an_address_that_tells_readers_apart_the_beginning_is_read() -> None:
    (text,) = texts(f"<p>Look <a href='https://click.example/ls?upn={'aB3.' * 40}'>here</a></p>")
    assert text == "Look here (https://click.example/ls?…)"
    long = f"https://news.example/2024/{'the-title-of-an-article-' * 6}it-is-long"
    assert texts(f"<p>Look <a href='{long}'>here</a></p>") == [f"Look here ({long})"]


def test_what_a_page_says_of_itself_to_other_sites_is_read_where_it_says_more() -> None:
    head = (
        '<title>Hives | Bee club</title><meta name="description" content="On hives."><meta property="og:title" content="Hives">'
        '<meta property="og:description" content="How to build them in spring."><meta name="twitter:title" content="Build a hive">'
        '<meta property="article:tag" content="wood"><meta property="article:tag" content="nails">'
        '<meta name="dc.creator" content="Ada"><meta property="article:author" content="https://social.example/ada">'
    )
    page = extract_html(f"<html><head>{head}</head><body><h1>Hives</h1><p>x</p></body></html>".encode())
    assert page.metadata == {
        "description": "On hives. How to build them in spring.",
        "page title": "Hives | Bee club; Build a hive",
        "tags": "wood, nails",
        "author": "Ada",
    }


def test_labels_that_stand_for_what_others_see_are_read() -> None:
    page = (
        '<p>The <span role="img" aria-label="full moon">🌕</span> rises.</p>'
        '<a href="https://x.example/r" aria-label="Read on about moons">Read on</a>'
        '<i class="star" aria-label="rated 4 of 5"></i><div aria-label="Content">'
        '<p>text</p></div><span role="dialog" aria-label="Content"></span>'
    )
    text = " ".join(texts(page))
    for words in ("full moon", "Read on about moons", "rated 4 of 5"):
        assert words in text
    assert "Content" not in text


def test_places_on_a_picture_lead_where_they_say() -> None:
    assert texts('<map><area alt="the yard" href="https://yard.example/"></map>') == [
        "the yard (https://yard.example/)"
    ]


def test_bookmarks_are_read_with_their_tags() -> None:
    page = '<dl><dt><a href="https://lathe.example/" tags="wood,tools" shortcuturl="lt">Lathes</a></dl>'
    assert texts(page) == ["Lathes (wood,tools, lt) (https://lathe.example/)"]
