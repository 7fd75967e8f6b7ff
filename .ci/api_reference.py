#!/usr/bin/env python3
"""Builds the API reference from the contract: HTML pages in target/api-reference, by sabledocs.

Sabledocs renders comments as Markdown and knows nothing of this contract. So before it runs, the comments
of the descriptor set are completed with what a reader needs and would have to look for: names of rpcs and
types become links, error reasons and permissions are set as code, each list begins a paragraph of its own,
a field that is marked as a cost says so, and each type names where it is used.

Afterwards the pages are checked: each rpc, message and enum has its place in them, each comment can be
read there, and each link within them leads somewhere.

Needs `buf` and the packages of .ci/requirements.txt: `.ci/run api` installs them and calls this.
"""

import html
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from google.protobuf.unknown_fields import UnknownFieldSet

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "target/api-reference"
BUF = ROOT / "target/ci/node_modules/.bin/buf"
SABLEDOCS = Path(sys.executable).parent / "sabledocs"
PACKAGE = "purchasing.v1"
PAGE = f"{PACKAGE}.html"

# Numbers of fields in descriptor.proto, of which the path of a comment is made.
MESSAGE, ENUM, SERVICE, MEMBER, ONEOF = 4, 5, 6, 2, 8
COST_OPTION = 50001  # purchasing/v1/options.proto

STATUS_CODES = {
    "ABORTED", "INTERNAL", "UNAUTHENTICATED", "UNAVAILABLE", "UNIMPLEMENTED", "UNKNOWN",
}

CONFIGURATION = f"""
module-title = "purchase-order-service: API reference"
input-descriptor-file = "descriptor.pb"
output-dir = "{OUTPUT}"
main-page-content-file = "main.md"
hidden-packages = ["google.protobuf"]
member-ordering = "preserve"
footer-content = '''<style>
#main-content > .block:not(.content):nth-of-type(1) {{ columns: 3 20em; }}
#main-content .box .block > p {{ margin-bottom: 0.7em; }}
#main-content ul {{ list-style: disc; margin-left: 1.5em; }}
#main-content .content p:not(:last-child) {{ margin-bottom: 0.4em; }}
a[href=""] {{ display: none; }}
</style>'''
"""

INTRODUCTION = f"""
What each rpc does, which permission it needs, its fields, and the reasons with which it is refused, as
the contract in `proto/purchasing/v1` says it. [PurchaseOrderService]({PAGE}#service-{PACKAGE}.PurchaseOrderService)
has the conventions and the errors that all rpcs share.

"""


def own_files(descriptors):
    return [file for file in descriptors.file if file.package == PACKAGE]


def anchors(descriptors):
    """Where each rpc and type of the contract stands in the page, by its name."""
    found = {}
    for file in own_files(descriptors):
        for message in file.message_type:
            if message.nested_type or message.enum_type:
                raise SystemExit(f"{message.name}: nested types are not supported here yet")
            found[message.name] = f"message-{PACKAGE}.{message.name}"
        for enum in file.enum_type:
            found[enum.name] = f"enum-{PACKAGE}.{enum.name}"
        for service in file.service:
            found[service.name] = f"service-{PACKAGE}.{service.name}"
            for method in service.method:
                found[method.name] = f"service-{PACKAGE}.{service.name}-{method.name}"
    return found


def uses(descriptors):
    """For each type, the rpcs and messages that have it."""
    found = {}

    def note(type_name, user):
        users = found.setdefault(type_name.rsplit(".", 1)[-1], [])
        if user not in users:
            users.append(user)

    for file in own_files(descriptors):
        for service in file.service:
            for method in service.method:
                note(method.input_type, method.name)
                note(method.output_type, method.name)
        for message in file.message_type:
            for field in message.field:
                if field.type in (FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM):
                    note(field.type_name, message.name)
    return found


def codes(descriptors):
    """The words that are set as code: status codes, and values of enums without their prefix."""
    words = set(STATUS_CODES)
    for file in own_files(descriptors):
        for enum in file.enum_type:
            prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", enum.name).upper() + "_"
            words.update(value.name.removeprefix(prefix) for value in enum.value)
    return words


class Comments:
    """Completes comments with links and marks."""

    def __init__(self, descriptors):
        self.anchors = anchors(descriptors)
        self.codes = codes(descriptors)
        self.uses = uses(descriptors)

    def link(self, name):
        return f"[{name}]({PAGE}#{self.anchors[name]})"

    def marked(self, word, own_name):
        several_capitals = len(re.findall("[A-Z]", word)) > 1  # `Store` is a word of English too
        if word in self.anchors and word != own_name and several_capitals:
            return self.link(word)
        if word in self.codes or re.fullmatch("[A-Z]+(_[A-Z]+)+", word):
            return f"`{word}`"
        return word

    def text(self, comment, own_name):
        lines, in_list = [], False
        for line in comment.splitlines():
            line = line.removeprefix(" ").rstrip()
            begins_list = line.lstrip().startswith("- ") and lines and lines[-1] and not in_list
            in_list = line.lstrip().startswith("- ") or (bool(lines) and line.startswith("    ") and in_list)
            if begins_list:
                lines.append("")
            is_code = line.startswith("    ") and not in_list
            lines.append(line if is_code else re.sub(
                r"`[^`]*`|[A-Za-z][A-Za-z0-9_]*", lambda found: self.marked(found[0], own_name), line))
        return "\n".join(lines)

    def complete(self, file, location):
        path = list(location.path)
        if len(path) not in (2, 4) or path[0] not in (MESSAGE, ENUM, SERVICE):
            return
        holder = {MESSAGE: file.message_type, ENUM: file.enum_type, SERVICE: file.service}[path[0]][path[1]]
        extra = ""
        name = holder.name
        if len(path) == 4 and path[2] != MEMBER:
            return
        if len(path) == 4 and path[0] == SERVICE:
            name = holder.method[path[3]].name
        elif len(path) == 4 and path[0] == MESSAGE and is_cost(holder.field[path[3]]):
            extra = "\n\n**Cost field**: needs `VIEW_COSTS`."
        elif len(path) == 2:
            if path[0] == MESSAGE:
                extra = self.oneofs(file, path[1])
            if name in self.uses:
                extra += "\n\n*Used in " + ", ".join(self.link(user) for user in self.uses[name]) + ".*"
        location.leading_comments = self.text(location.leading_comments, name) + extra


    def main_page(self, files):
        """Begins with all rpcs, because the page of the package lists types alone."""
        services = [service for file in files for service in file.service]
        return INTRODUCTION + "\n".join(
            f"- {self.link(service.name)}: " + ", ".join(self.link(method.name) for method in service.method)
            for service in services)

    def oneofs(self, file, message):
        """What is said of the message's oneofs, which sabledocs leaves out."""
        text = ""
        for location in file.source_code_info.location:
            if list(location.path[:3]) == [MESSAGE, message, ONEOF] and location.leading_comments:
                name = file.message_type[message].oneof_decl[location.path[3]].name
                text += f"\n\n`{name}`: " + self.text(location.leading_comments, name)
        return text


def is_cost(field):
    return any(option.field_number == COST_OPTION and option.data for option in UnknownFieldSet(field.options))


class Pages(HTMLParser):
    """What the checks need of a page: its ids, its links within the reference, and its text."""

    def __init__(self, page):
        super().__init__()
        self.ids, self.links, self.texts = set(), set(), []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.add(value)
            if tag == "a" and name == "href" and value and "#" in value and "//" not in value:
                self.links.add(value)

    def handle_data(self, data):
        self.texts.append(data)


def bare(text):
    return re.sub(r"\W+", "", html.unescape(text))


def check(descriptors, comments):
    page = Pages((OUTPUT / PAGE).read_text())
    index = Pages((OUTPUT / "index.html").read_text())
    wrong = [f"{name} is not in the reference" for name, anchor in anchors(descriptors).items() if anchor not in page.ids]
    for link in page.links | index.links:
        if link == "#packages":
            continue
        target, anchor = link.split("#", 1)
        if target not in ("", PAGE) or anchor not in page.ids:
            wrong.append(f"a link leads nowhere: {link}")
    text = bare("".join(page.texts))
    wrong += [f"this comment is not in the reference: {comment}" for comment in comments if bare(comment) not in text]
    if wrong:
        raise SystemExit("\n".join(wrong))
    count = sum(len(service.method) for file in own_files(descriptors) for service in file.service)
    types = sum(len(file.message_type) + len(file.enum_type) for file in own_files(descriptors))
    print(f"{OUTPUT.relative_to(ROOT)}/index.html: {count} rpcs, {types} messages and enums, {len(comments)} comments")


def without_requests_elsewhere():
    """The style sheet imports another one from a public host; the pages are to be read without a network."""
    sheet = OUTPUT / "static/mystyles.css"
    text, count = re.subn(r'@import "https?://[^"]*";', "", sheet.read_text())
    if count != 1 or re.search(r"(@import|url\(\s*['\"]?)\s*['\"]?https?:", text):
        raise SystemExit(f"{sheet}: unexpected imports; look at this version's style sheet")
    sheet.write_text(text)


def main():
    scratch = Path(tempfile.mkdtemp())
    try:
        built = scratch / "descriptor.pb"
        subprocess.run([BUF, "build", "--as-file-descriptor-set", "-o", built], cwd=ROOT, check=True)
        descriptors = FileDescriptorSet.FromString(built.read_bytes())
        completed = Comments(descriptors)
        originals = []
        for file in own_files(descriptors):
            for location in file.source_code_info.location:
                if location.leading_comments and location.path and location.path[0] in (MESSAGE, ENUM, SERVICE):
                    originals.append(location.leading_comments)
                    completed.complete(file, location)
        built.write_bytes(descriptors.SerializeToString())
        (scratch / "sabledocs.toml").write_text(CONFIGURATION)
        (scratch / "main.md").write_text(completed.main_page(own_files(descriptors)))
        shutil.rmtree(OUTPUT, ignore_errors=True)
        subprocess.run([SABLEDOCS], cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        without_requests_elsewhere()
        check(descriptors, originals)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


main()
