# ruff: noqa: E501 (a document in a few lines)
"""Each distinct word of a file is in what is read of it, unless docs/formats.md names the kind of thing that is left out.

Words that are to be read begin with "w", those that are left out with "z"; each stands in one place alone.
"""

import re
from collections.abc import Mapping
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from searchkit.formats import CODE
from searchkit.ingest.chunk import chunk_document
from searchkit.ingest.extract import readers
from searchkit.ingest.extract.readers import extract
from searchkit.ingest.segments import estimate_tokens
from tests.support.compound_files import compound_file
from tests.support.office_files import ooxml, relations, zipped
from tests.unit.ingest.extract.test_legacy import doc, record, xls
from tests.unit.ingest.extract.test_outlook import attribute, properties, winmail

_W = 'xmlns:w="http://x/w" xmlns:r="http://x/r" xmlns:wp="http://x/wp" xmlns:a="http://x/a" xmlns:v="http://x/v" xmlns:m="http://x/m"'
_P = 'xmlns:p="http://x/p" xmlns:a="http://x/a" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_NAMESPACE = "urn:oasis:names:tc:opendocument:xmlns:"
_ODF = " ".join(
    f'xmlns:{prefix}="{_NAMESPACE}{name}:1.0"'
    for prefix, name in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"), ("style", "style"), ("svg", "svg-compatible"),
        ("presentation", "presentation"), ("meta", "meta"), ("chart", "chart"),
    )
)  # fmt: skip
_ODF += ' xmlns:xlink="http://x/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'


def _external(links: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {identifier: ("hyperlink", f'{address}" TargetMode="External') for identifier, address in links.items()}


def _properties() -> str:
    return (
        "<dc:title>wtitle</dc:title><dc:creator>wauthor</dc:creator><dc:subject>wsubject</dc:subject>"
        "<dc:description>wcomments</dc:description>"
    )


def _docx() -> bytes:
    def p(text: str, inner: str = "") -> str:
        return f"<w:p><w:r><w:t>{text}</w:t></w:r>{inner}</w:p>"

    def note(kind: str, text: str) -> str:
        return f'<w:{kind} w:id="2">{p(text)}</w:{kind}>'

    field = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> HYPERLINK "https://wcode.example/" </w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>wfield</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    about = '<a:hlinkClick r:id="l2" tooltip="wpicturetip"/>'
    picture = (
        f'<w:r><w:drawing><wp:docPr id="1" name="Picture 1" descr="walt">{about}</wp:docPr><wp:pic><wp:cNvPr descr="wshape"/></wp:pic>'
        '<a:graphic><c:chart xmlns:c="http://x/c" r:id="c1"/></a:graphic></w:drawing></w:r>'
    )
    box = f"<w:r><w:pict><v:shape><v:textbox><w:txbxContent>{p('wbox')}</w:txbxContent></v:textbox></v:shape></w:pict></w:r>"
    mark = '<w:r><w:pict><v:shape alt="wdrawn" title="wshapetip" href="https://wclicked.example/"><v:textpath string="wwatermark"/></v:shape></w:pict></w:r>'
    table = f"<w:tbl><w:tr><w:tc>{p('wcell')}</w:tc><w:tc>{p('')}</w:tc></w:tr></w:tbl>"
    changes = "<w:p><w:del><w:r><w:delText>zdeleted</w:delText></w:r></w:del><w:ins><w:r><w:t>winserted</w:t></w:r></w:ins></w:p>"
    choices = "<w:result w:val='1'/><w:listEntry w:val='zother'/><w:listEntry w:val='wchosen'/>"
    chosen = f'<w:p><w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:ddList>{choices}</w:ddList></w:ffData></w:fldChar></w:r></w:p>'
    math = "<w:p><m:oMathPara><m:oMath><m:r><m:t>wdisplayed = </m:t></m:r><m:f><m:num><m:t>wabove</m:t></m:num><m:den><m:t>wbelow</m:t></m:den></m:f></m:oMath></m:oMathPara><w:r><w:t>wbehind</w:t></w:r></w:p>"
    math += "<w:p><m:oMath><m:r><m:t>wformula</m:t></m:r></m:oMath></w:p>"
    body = (
        p("wbody ", '<w:hyperlink r:id="l1" w:tooltip="wtip"><w:r><w:t>wlink</w:t></w:r></w:hyperlink>')
        + p("", field + picture + box + mark)
        + '<w:p><w:fldSimple w:instr=" HYPERLINK &quot;https://wsimple.example/&quot; "><w:r><w:t>x</w:t></w:r></w:fldSimple></w:p>'
        + '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> XE "zentry" </w:instrText></w:r>'
        + '<w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
        + f"<w:sdt><w:sdtContent>{p('wcontrol')}</w:sdtContent></w:sdt>{table}{changes}{math}{chosen}"
    )
    kinds = {
        "header": "header",
        "footer": "footer",
        "footnotes": "footnotes",
        "endnotes": "endnotes",
        "comments": "comments",
    }
    parts = {
        "header": f"<w:hdr {_W}>{p('wheader')}</w:hdr>",
        "footer": f"<w:ftr {_W}>{p('wfooter')}</w:ftr>",
        "footnotes": f"<w:footnotes {_W}>{note('footnote', 'wfootnote')}</w:footnotes>",
        "endnotes": f"<w:endnotes {_W}>{note('endnote', 'wendnote')}</w:endnotes>",
        "comments": f"<w:comments {_W}>{note('comment', 'wcomment')}</w:comments>",
    }
    files = {f"word/{name}.xml": content for name, content in parts.items()}
    targets = {name: (kinds[name], f"{name}.xml") for name in parts} | {"c1": ("chart", "chart.xml")}
    targets |= _external({"l1": "https://wtarget.example/x", "l2": "https://wpicturelink.example/x"})
    files["word/chart.xml"] = (
        "<c:chart xmlns:c='http://x/c' xmlns:a='http://x/a'><a:p><a:r><a:t>wchart</a:t></a:r></a:p></c:chart>"
    )
    files["word/_rels/chart.xml.rels"] = relations({"u1": ("chartUserShapes", "over.xml")})
    files["word/over.xml"] = (
        "<c:userShapes xmlns:c='http://x/c' xmlns:a='http://x/a'><a:p><a:r><a:t>wover</a:t></a:r></a:p></c:userShapes>"
    )
    files["word/_rels/document.xml.rels"] = relations(targets)
    files["word/document.xml"] = f"<w:document {_W}><w:body>{body}</w:body></w:document>"
    return ooxml("word/document.xml", "wordprocessingml.document", files, _properties())


def _pptx() -> bytes:
    def shape(text: str, role: str = "", about: str = "") -> str:
        place = f'<p:ph type="{role}"/>' if role else ""
        body = f"<p:txBody><a:p>{text}</a:p></p:txBody>"
        return f"<p:sp><p:nvSpPr><p:cNvPr id='1' name='x' {about}/><p:nvPr>{place}</p:nvPr></p:nvSpPr>{body}</p:sp>"

    def run(text: str, properties: str = "") -> str:
        return f"<a:r><a:rPr>{properties}</a:rPr><a:t>{text}</a:t></a:r>"

    def tree(shapes: str) -> str:
        return f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>"

    shapes = (
        shape(run("wslide"), "title")
        + shape(run("wlinked", '<a:hlinkClick r:id="l1" tooltip="wtip"/>'))
        + shape(run("wtipped", '<a:hlinkClick r:id="" tooltip="wonlytip"/>'))
        + shape(run("wnamed"), about="descr='walt'")
        + shape(run("wdate"), "dt")
        + shape(run("wfooter"), "ftr")
        + shape('<a:fld type="slidenum"><a:t>znumber</a:t></a:fld>', "sldNum")
    )
    chart = (
        "<c:chart xmlns:c='http://x/c' xmlns:a='http://x/a'><a:p><a:r><a:t>wchart</a:t></a:r></a:p><c:ser><c:tx><c:v>wseries</c:v></c:tx>"
        "<c:cat><c:v>wcategory</c:v></c:cat><c:val><c:v>5</c:v></c:val></c:ser></c:chart>"
    )
    frame = '<p:graphicFrame><a:graphic><c:chart xmlns:c="http://x/c" r:id="c1"/></a:graphic></p:graphicFrame>'
    notes = f"<p:notes {_P}>{tree(shape(run('wnotes'), 'body') + shape(run('wheader'), 'hdr'))}</p:notes>"
    files: dict[str, str | bytes] = {
        "ppt/presentation.xml": f'<p:presentation {_P}><p:sldIdLst><p:sldId id="1" r:id="r1"/></p:sldIdLst></p:presentation>',
        "ppt/_rels/presentation.xml.rels": relations({"r1": ("slide", "slides/slide1.xml")}),
        "ppt/slides/slide1.xml": f"<p:sld {_P}>{tree(shapes + frame)}</p:sld>",
        "ppt/slides/_rels/slide1.xml.rels": relations(
            {"n1": ("notesSlide", "../notes1.xml"), "c1": ("chart", "../chart1.xml")}
            | _external({"l1": "https://wtarget.example/x"})
        ),
        "ppt/notes1.xml": notes,
        "ppt/chart1.xml": chart,
        "ppt/slideMasters/slideMaster1.xml": f"<p:sldMaster {_P}>{tree(shape(run('wmaster')) + shape(run('zprompt'), 'body'))}</p:sldMaster>",
        "ppt/slideLayouts/slideLayout1.xml": f"<p:sldLayout {_P}>{tree(shape(run('wlayout')))}</p:sldLayout>",
    }
    return ooxml("ppt/presentation.xml", "presentationml.presentation", files, _properties())


def _xlsx() -> bytes:
    def cell(at: str, text: str) -> str:
        return f'<c r="{at}" t="inlineStr"><is><t>{text}</t></is></c>'

    spaces = 'xmlns:r="http://x/r" xmlns:xdr="http://x/xdr" xmlns:a="http://x/a"'
    rows = f'<row r="1">{cell("A1", "wname")}{cell("B1", "wother")}</row><row r="2">{cell("A2", "wlinked")}<c r="B2" s="1"><v>7</v></c></row>'
    behind = (
        '<hyperlinks><hyperlink ref="A2" r:id="l1"/></hyperlinks><headerFooter><oddHeader>&amp;Cwheader</oddHeader>'
        "<oddFooter>&amp;Lwfooter</oddFooter><firstHeader>wfirst</firstHeader></headerFooter>"
    )
    drawing = (
        f"<xdr:wsDr {spaces}><xdr:pic><xdr:cNvPr id='1' name='x' descr='walt'><a:hlinkClick r:id='l1' tooltip='wpicturetip'/>"
        "</xdr:cNvPr></xdr:pic><xdr:sp><xdr:txBody><a:p><a:r><a:rPr><a:hlinkClick r:id='l2'/></a:rPr><a:t>wbox</a:t></a:r></a:p>"
        "</xdr:txBody></xdr:sp></xdr:wsDr>"
    )
    comment = "<comments><commentList><comment ref='A1'><text><t>wcomment</t></text></comment></commentList></comments>"
    styles = '<styleSheet><numFmts><numFmt numFmtId="200" formatCode="&quot;wunit&quot; 000"/></numFmts>'
    files = {
        "xl/workbook.xml": f'<workbook {spaces}><sheets><sheet name="wsheet" r:id="r1"/><sheet name="wother" state="veryHidden" r:id="r3"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            {"r1": ("worksheet", "sheet1.xml"), "r2": ("styles", "styles.xml"), "r3": ("worksheet", "sheet2.xml")}
        ),
        "xl/sheet2.xml": f'<worksheet {spaces}><sheetData><row r="1">{cell("A1", "whidden")}</row></sheetData></worksheet>',
        "xl/styles.xml": f'{styles}<cellXfs><xf numFmtId="0"/><xf numFmtId="200"/></cellXfs></styleSheet>',
        "xl/sheet1.xml": f"<worksheet {spaces}><sheetData>{rows}</sheetData>{behind}</worksheet>",
        "xl/_rels/sheet1.xml.rels": relations(
            {
                "d1": ("drawing", "drawing1.xml"),
                "c1": ("comments", "comments1.xml"),
                "t1": ("threadedComment", "threads.xml"),
                "v1": ("vmlDrawing", "form.vml"),
            }
            | _external({"l1": "https://wtarget.example/x"})
        ),
        "xl/drawing1.xml": drawing,
        "xl/_rels/drawing1.xml.rels": relations(
            _external({"l1": "https://wpicturelink.example/x", "l2": "https://wboxlink.example/x"})
        ),
        "xl/form.vml": "<xml xmlns:v='urn:v'><v:shape><v:textbox><div>wcaption<br></div></v:textbox></v:shape></xml>",
        "xl/threads.xml": "<ThreadedComments><threadedComment ref='B1' personId='p'><text>wthread</text></threadedComment></ThreadedComments>",
        "xl/persons/person.xml": "<personList><person id='p' displayName='wperson'/></personList>",
        "xl/comments1.xml": comment,
    }
    return ooxml("xl/workbook.xml", "spreadsheetml.sheet", files, _properties())


def _odf(kind: str, body: str, styles: str = "", objects: Mapping[str, str] | None = None) -> bytes:
    inner = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    meta = "<dc:title>wtitle</dc:title><dc:creator>wauthor</dc:creator><meta:keyword>wkeyword</meta:keyword>"
    meta += '<meta:user-defined meta:name="File">wfilenumber</meta:user-defined>'
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {_ODF}>{inner}</office:document-content>",
            "styles.xml": f"<office:document-styles {_ODF}><office:master-styles>{styles}</office:master-styles></office:document-styles>",
            "meta.xml": f"<office:document-meta {_ODF}><office:meta>{meta}</office:meta></office:document-meta>",
            **(objects or {}),
        }
    )


def _p(text: str) -> str:
    return f"<text:p>{text}</text:p>"


_MASTER = f"<style:master-page><style:header>{_p('wheader')}</style:header><style:footer>{_p('wfooter')}</style:footer></style:master-page>"
_OBJECTS = {
    "Object 1/content.xml": f"<office:document-content {_ODF}><office:body><office:chart><chart:title>{_p('wchart')}</chart:title><chart:axis><chart:title>{_p('waxis')}</chart:title></chart:axis>"
    f"<table:table><table:table-row><table:table-cell>{_p('wseries')}</table:table-cell></table:table-row></table:table>"
    "</office:chart></office:body></office:document-content>",
    "Object 2/content.xml": '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>wformula</mi></math>',
}
_FRAME = f"<draw:frame><draw:text-box>{_p('wbox')}</draw:text-box><svg:title>wpicture</svg:title><svg:desc>walt</svg:desc></draw:frame>"


def _odt() -> bytes:
    link = '<text:a xlink:href="https://wtarget.example/x">wlink</text:a>'
    note = f"<text:note><text:note-citation>1</text:note-citation><text:note-body>{_p('wnote')}</text:note-body></text:note>"
    comment = f"<office:annotation><dc:creator>wreader</dc:creator>{_p('wcomment')}</office:annotation>"
    deleted = (
        f"<text:tracked-changes><text:changed-region>{_p('zdeleted')}</text:changed-region></text:tracked-changes>"
    )
    cell = f"<table:table-row><table:table-cell>{_p('wcell')}</table:table-cell></table:table-row>"
    table = (
        f"<table:table><table:title>wtabletitle</table:title><table:desc>wtabledesc</table:desc>{cell}</table:table>"
    )
    clicked = f'<draw:a xlink:href="https://wframe.example/x">{_FRAME.replace("wbox", "wlinked").replace("walt", "wother")}</draw:a>'
    math = '<draw:frame><draw:object><math xmlns="http://www.w3.org/1998/Math/MathML"><mi>winline</mi></math></draw:object></draw:frame>'
    body = deleted + _p(f"wbody {link}{note}{comment}{_FRAME}{clicked}{math}") + table
    return _odf("text", body, _MASTER, _OBJECTS)


def _ods() -> bytes:
    link = '<text:a xlink:href="https://wtarget.example/x">wlink</text:a>'
    cell = f"<table:table-cell office:value-type='string'>{_p(f'wcell {link}')}<office:annotation>{_p('wcomment')}</office:annotation></table:table-cell>"
    shown = f"<table:table-cell office:value-type='float' office:value='7'>{_p('wunit 007')}</table:table-cell>"
    body = f"<table:table table:name='wsheet'><table:shapes>{_FRAME}</table:shapes><table:table-row>{cell}{shown}</table:table-row></table:table>"
    body = body.replace(
        "</table:table>",
        "<table:table-row><table:table-cell office:value-type='string' office:string-value='wstored'/></table:table-row></table:table>",
    )
    message = f"<table:help-message table:title='whinttitle'>{_p('whint')}</table:help-message>"
    validation = f"<table:content-validation>{message}</table:content-validation>"
    body = f"<table:content-validations>{validation}</table:content-validations>{body}"
    hidden = f"<table:table-row><table:table-cell>{_p('wrow')}</table:table-cell></table:table-row>"
    body += f"<table:table table:name='whidden' table:display='false' table:style-name='h'>{hidden}</table:table>"
    return _odf("spreadsheet", body, _MASTER, _OBJECTS)


def _odp() -> bytes:
    title = f"<draw:frame presentation:class='title'><draw:text-box>{_p('wslide')}</draw:text-box></draw:frame>"
    notes = f"<presentation:notes>{_FRAME.replace('wbox', 'wnotes').replace('walt', 'wother')}</presentation:notes>"
    declared = "<presentation:footer-decl presentation:name='f'>wfooter</presentation:footer-decl>"
    listener = '<presentation:event-listener xlink:href="https://wclicked.example/x"/>'
    shape = f"<draw:custom-shape><office:event-listeners>{listener}</office:event-listeners>{_p('wshape')}</draw:custom-shape>"
    frame = f"<draw:frame><draw:text-box>{_p('wmaster')}</draw:text-box></draw:frame>"
    prompt = f"<draw:frame presentation:class='title' presentation:placeholder='true'><draw:text-box>{_p('zprompt')}</draw:text-box></draw:frame>"
    master = f"<style:master-page style:name='m'>{frame}{prompt}</style:master-page>"
    pages = f"<draw:page draw:name='wname'>{title}{_FRAME}{notes}{shape}</draw:page><draw:page draw:name='zpage2'/>"
    return _odf("presentation", f"{declared}{pages}", master, _OBJECTS)


def _rtf() -> bytes:
    link = r'{\field{\*\fldinst{HYPERLINK "https://wtarget.example/x"}}{\fldrslt{wlink}}}'
    picture = r"{\*\shpinst{\sp{\sn wzDescription}{\sv walt}}{\sp{\sn gtextUNICODE}{\sv wdrawn}}{\shptxt wbox\par}}"
    lists = r"{\*\listtable{\list{\listlevel{\leveltext zlevel;}}{\listname zlist;}}}"
    body = rf"{{\header wheader\par}}{{\footer wfooter\par}}wbody {link}{{\footnote wnote}}{{\*\atnid z}}{{\*\atnauthor wreader}}{{\*\annotation wcomment}}\par {picture}"
    body += r"{\*\shppict{\pict{\*\picprop{\sp{\sn wzDescription}{\sv wpicture}}}\pngblip 89504e47}}{\nonshppict{\pict 89504e47}}"
    body += r"{\mmath{\*\moMathPara{\*\moMath{\mf{\mfPr{\mtype zlayout}}{\mnum{\mr wabove}}{\mden{\mr wbelow}}}}}}\par "
    table = r"\trowd\intbl wcell\cell wother\cell\row\pard "
    return (
        r"{\rtf1\ansi{\fonttbl{\f0 zfont;}}"
        + lists
        + r"{\info{\title wtitle}{\author wauthor}{\subject wsubject}{\doccomm wcomments}{\*\company wcompany}{\*\category wcategory}}"
        + r"{\*\userprops{\propname zname}\proptype30{\staticval wfilenumber}}"
        + body
        + table
        + r"{\deleted zdeleted}{\v whidden}\par}"
    ).encode()


def _html() -> bytes:
    return b"""<!DOCTYPE html><html><head><title>wtitle</title><meta name="description" content="wdescription">
    <meta name="keywords" content="wkeywords"><meta name="author" content="wauthor"><style>zstyle</style>
    <link rel="canonical" href="https://wsource.example/page"></head><body><header><p>wheader</p>
    <ul><li><a href=a>znav</a><li><a href=b>zmenu</a><li><a href=c>zpath</a></ul></header><nav>znavigation</nav>
    <div role="navigation">zcrumbs</div><div>waround</div><main><h1>wheading</h1><p>wbody <a href="https://wtarget.example/x">wlink</a>
    <img src=x alt="walt"><abbr title="wlong">wshort</abbr> <i title="wtip">wpointed</i></p><pre>wcode</pre><table summary="wsummarized"><caption>wcaption</caption><tr><td>wcell</table>
    <svg><title>wdrawing</title><text>wlabel</text></svg><math><mi>wformula</mi></math><form><input value="wtyped">
    <textarea>wwritten</textarea><select><option selected>wchosen<option>zchoice</select><button>zbutton</button></form>
    <details><summary>wsummary</summary>wdetails</details><script>zscript</script><template>ztemplate</template>
    <p hidden>zhidden</p><noscript>znoscript</noscript><!-- zcomment --></main><aside>waside</aside>
    <footer>wfooter</footer></body></html>"""


def _epub() -> bytes:
    container = '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'
    metadata = "<dc:title>wtitle</dc:title><dc:creator>wauthor</dc:creator><dc:description>wabout</dc:description>"
    manifest = (
        '<item id="c" href="c.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="n" href="n.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    )
    contents = '<html><body><h1>zcontents</h1><a href="c.xhtml">wheading</a></body></html>'
    package = (
        f'<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>{metadata}</metadata><manifest>{manifest}</manifest>'
        '<spine><itemref idref="n"/><itemref idref="c"/></spine></package>'
    )
    chapter = (
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body><h1>wheading</h1><p>wbody'
        ' <a href="https://wtarget.example/x">wlink</a><img src="x" alt="walt"/></p><aside>wfootnote</aside></body></html>'
    )
    parts = {"META-INF/container.xml": container, "b.opf": package, "c.xhtml": chapter, "n.xhtml": contents}
    return zipped({"mimetype": "application/epub+zip", **parts})


def _pdf() -> bytes:
    content = "BT /F1 11 Tf 50 700 Td (wbody) Tj 0 -20 Td (wlink) Tj ET"
    form = "BT /F1 11 Tf 5 20 Td (wstamped) Tj ET"
    font = "/Resources << /Font << /F1 3 0 R >> >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [8 0 R] >> /Outlines 9 0 R /MarkInfo << /Marked true >> /StructTreeRoot 11 0 R >>",
        "<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {font} /Contents 5 0 R /Annots [6 0 R 8 0 R 13 0 R 14 0 R] /StructParents 0 >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Annot /Subtype /Stamp /Rect [100 100 300 150] /F 4 /Contents (wnote) /AP << /N 7 0 R >> >>",
        f"<< /Type /XObject /Subtype /Form /BBox [0 0 200 50] {font} /Length {len(form)} >>\nstream\n{form}\nendstream",
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (wfield) /V (wvalue) /Rect [0 0 50 50] /P 4 0 R >>",
        "<< /Type /Outlines /First 10 0 R /Last 10 0 R /Count 1 >>",
        "<< /Title (wpart) /Parent 9 0 R /First 16 0 R /Last 16 0 R /Count 1 >>",
        "<< /Type /StructTreeRoot /K 12 0 R /ParentTree << /Nums [0 [12 0 R]] >> >>",
        "<< /Type /StructElem /S /Figure /P 11 0 R /Pg 4 0 R /K 0 /Alt (walt) >>",
        "<< /Type /Annot /Subtype /Link /Rect [45 670 100 695] /A << /S /URI /URI (https://wtarget.example/x) >> >>",
        "<< /Type /Annot /Subtype /Square /Rect [0 0 9 9] /Contents (wsquare) >>",
        "<< /Title (wtitle) /Author (wauthor) /Subject (wsubject) /Keywords (wkeyword) >>",
        "<< /Title (wbookmark) /Parent 10 0 R /Dest [4 0 R /XYZ 0 800 0] >>",
    ]
    data, offsets = "%PDF-1.5\n", []
    for number, each in enumerate(objects, 1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info 15 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
    return (data + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}" + trailer).encode()


def _mail() -> bytes:
    return (
        b"From: wsender <a@wmeadow.example>\nTo: wreceiver <b@b.example>\nSubject: wsubject\nMIME-Version: 1.0\n"
        b"Content-Type: text/html\n\n<p>wbody <a href='https://wtarget.example/x'>wlink</a></p>"
    )


def _alternatives() -> bytes:
    """A mail whose HTML says a little that its plain text does not."""
    message = EmailMessage()
    message["From"], message["Subject"] = "wsender@x.example", "wsubject"
    message.set_content("wbody wlonger wtext\n")
    message.add_alternative("<p>wbody wlonger wtext zfooter</p>", "html")
    return bytes(message)


def _saved_page() -> bytes:
    message = MIMEMultipart("related")
    message["From"], message["Subject"] = "<Saved by a browser>", "wsubject"
    message.attach(MIMEText("<title>wtitle</title><p>wbody", "html"))
    return bytes(message)


_CARD = b"BEGIN:VCARD\nFN:wname\nADR:;;wstreet;wtown;;;\nNOTE:wnote\\, wfol\n ded\nEND:VCARD\n"
_EVENT = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:zid\nSUMMARY:wsummary\nLOCATION:wplace\nATTENDEE;CN=wguest:mailto:a@wx.example\nEND:VEVENT\nEND:VCALENDAR\n"
_CHAT = b"10/03/2025, 09:12 - wspeaker: wsaid\nwcontinued\n10/03/2025, 09:13 - wother: wreply\n"
_CODE = b"// wcomment\nwname = 'wstring'\n"
_INPUTS: dict[str, tuple[str, bytes]] = {
    "docx": ("docx", _docx()), "pptx": ("pptx", _pptx()), "xlsx": ("xlsx", _xlsx()), "odt": ("odf", _odt()), "ods": ("odf", _ods()),
    "odp": ("odf", _odp()), "rtf": ("rtf", _rtf()), "html": ("html", _html()), "epub": ("epub", _epub()),
    "pdf": ("pdf", _pdf()), "mail": ("mail", _mail()),
    "markdown": ("markdown", b"---\ntitle: wtitle\nmine: wfront\n---\n# wheading\n\nwbody [wlink](https://wtarget.example 'wtip')\n"
                 b"![walt](x.png)\n\n| wname | b |\n|---|---|\n| wcell | |\n\n<div>whtml</div>\n\n[wref]: https://wreference.example\n"),
    "rst": ("rst", b"wheading\n========\n\n:author: wauthor\n\nwbody `wlink <https://wtarget.example>`_\n\n.. image:: x.png\n   :alt: walt\n\n"
            b".. code::\n\n   wcode\n\n.. wcomment\n"),
    "org": ("org", b"#+TITLE: wtitle\n* TODO wheading :wtag:\nwbody [[https://wtarget.example][wlink]]\n:LOG:\nwdrawer\n:END:\n# wcomment\n"),
    "csv": ("table", b"wname,wother\nwcell,\n"),
    "json": ("data", b'{"wkey": {"winner": "wvalue"}, "list": ["witem"]}'),
    "yaml": ("data", b"wkey:\n  winner: wvalue # wcomment\n"),
    "xml": ("data", b'<wroot wattribute="wvalue"><winner>wtext</winner><!-- wcomment --></wroot>'),
    "srt": ("subtitles", b"1\n00:00:01,000 --> 00:00:02,000\nwspoken <i>wslanted</i>\n"),
    "text": ("text", "wbody wöther\n".encode()),
    "calendar": ("calendar", _EVENT), "contacts": ("contacts", _CARD), "chat": ("chat", _CHAT),
    "alternatives": ("mail", _alternatives()), "mhtml": ("mhtml", _saved_page()),
    "mailbox": ("mailbox", b"From a@x.example Mon Mar 10 09:00:00 2025\n" + _mail() + b"\n\nFrom b@x.example Mon Mar 10 10:00:00 2025\n"
                b"From: wsecond@x.example\nX-Mozilla-Status: 0009\n\nzdeleted\n".replace(b"wsecond", b"b")),
    "msg": ("msg", winmail(attribute(0x9003, properties({0x0037: "wsubject", 0x0C1A: "wsender", 0x1000: "wbody"})))),
    "archive": ("archive", zipped({"wname.txt": "zcontent", "wfolder/wother.md": "zmore"})),
    "doc": ("doc", doc('wbody \x13 HYPERLINK "https://wtarget.example" \x14wlink\x15, wcell\7\7\r')),
    "xls": ("xls", xls({(0, 0): "wcell", (5, 3): "wother"})),
    "ppt": ("ppt", compound_file({"PowerPoint Document": record(0x0FA0, "wslide".encode("utf-16-le")) + record(0x0FA8, b"wshape")})),
    **{name: (name, _CODE) for name in sorted(CODE)},
    "notebook": ("notebook", b'{"cells": [{"cell_type": "markdown", "source": "wbody"}, {"cell_type": "code", "source": "wcode",'
                 b' "outputs": [{"text": "woutput"}]}], "metadata": {"authors": [{"name": "wauthor"}]}}'),
}  # fmt: skip


# What readers say that they have left out of these; all else that is left out is in no document of its own.
_NAMED = {
    "docx": {"tracked deletions", "field codes"}, "epub": {"table of contents"}, "mailbox": {"deleted mails"},
    "alternatives": {"words that only the other form of a mail has, plain text or HTML"}, "odt": {"tracked deletions"}, "rtf": {"tracked deletions"}, "pptx": {"prompts of placeholders"},
    "html": {"navigation", "hidden parts", "parts for browsers without scripts", "templates", "buttons", "choices that are not chosen"},
}  # fmt: skip


@pytest.mark.parametrize("name", _INPUTS)
def test_each_word_is_read_once_or_left_out_by_name(name: str) -> None:
    format_name, content = _INPUTS[name]
    wanted = _words(content, "w")
    document = extract(format_name, content)
    chunks = list(chunk_document(document, estimate_tokens, 512))
    read = " ".join(
        [
            document.title,
            *document.metadata.values(),
            *(f"{chunk.title} {chunk.text} {chunk.place}" for chunk in chunks),
        ]
    )
    assert wanted - set(re.findall(r"\bw\w+", read)) == set()
    assert set(re.findall(r"\bz\w+", read)) == set()
    assert set(document.left_out) == _NAMED.get(name, set())


def test_no_reader_is_forgotten_here() -> None:
    pictures = {"picture"}  # their words are in no bytes, see test_pictures.py
    assert {format_name for format_name, _ in _INPUTS.values()} == set(readers._READERS) - pictures


def _words(content: bytes, first: str) -> set[str]:
    """The words that begin with a letter, in a file or in the parts of one, without names of elements and attributes."""
    if content.startswith(b"PK"):
        import io
        import zipfile

        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inside = (_words(archive.read(part), first) for part in archive.namelist())
            return _words(" ".join(archive.namelist()).encode(), first).union(*inside)
    text = content.decode("utf-8", "replace").replace("\0", "").replace("\n ded", "ded")
    marked = re.sub(r"</?[a-z]+:[A-Za-z-]+|\b[a-z]+:[A-Za-z-]+=|xmlns(?::\w+)?=", " ", text)
    known = set("w wp word wordprocessingml worksheet workbook workbookPr wsDr www wzDescription".split())
    return {word for word in re.findall(rf"\b{first}[a-zö]+\b", marked) if word not in known}
