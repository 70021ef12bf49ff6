"""Sound from web addresses: private hosts are never asked; size, time and redirects have limits; the rest is kept."""

import http.server
import io
import socket
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile

from corpora import tone
from tympan.data import audio, download


def sound():
    file = io.BytesIO()
    soundfile.write(file, tone(440, 0.5, 16000), 16000, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue()


@contextmanager
def server(answers):
    """A server on this machine: `answers[path](handler)` writes the answer; `.asked` are the paths that were asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Host"]))
            answers[self.path.partition("?")[0]](self)

        def log_message(self, *_):
            pass

    asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        running.asked = asked
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def send(status, body=b"", **headers):
    def answer(handler):
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def link(running, path, host="127.0.0.1"):
    return f"http://{host}:{running.server_port}{path}"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "PAUSES", (0.01, 0.01))
    return tmp_path / "cache" / "links"


@pytest.fixture
def loopback(monkeypatch):
    """This machine counts as public, as it may in tests alone."""
    real = download.public
    monkeypatch.setattr(download, "public", lambda address: address == "127.0.0.1" or real(address))


def kept(cache):
    return [p for p in cache.rglob("*") if p.is_file()] if cache.exists() else []


def test_a_sound_is_fetched_once_and_kept_whole(cache, loopback):
    with server({"/music/42.mp3": send(200, sound())}) as running:
        path = download.sound(link(running, "/music/42.mp3?key=secret"))
        assert download.sound(link(running, "/music/42.mp3?key=secret")) == path
        assert running.asked == [("/music/42.mp3?key=secret", f"127.0.0.1:{running.server_port}")]
    assert path.suffix == ".mp3" and path.read_bytes() == sound() and kept(cache) == [path]
    assert audio.info(path).sample_rate == 16000


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff02::1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "[2001::7f00:1]",
    ],
)
def test_a_private_address_is_refused_and_never_asked(host, cache):
    with server({}) as running:
        with pytest.raises(ValueError, match=r"could not be reached|no address of the open internet"):
            download.sound(link(running, "/x.mp3", host))
        assert not running.asked and not kept(cache)


def test_what_is_public_is_so():
    assert all(map(download.public, ["1.1.1.1", "8.8.8.8", "147.8.1.1", "2606:4700::1111"]))


def test_a_redirect_to_a_private_address_is_refused(cache, monkeypatch):
    with server({"/inside.mp3": send(200, sound())}) as inside:
        target = link(inside, "/inside.mp3", "127.0.0.2")  # also this machine, but not taken for public here
        with server({"/x.mp3": send(302, Location=target)}) as running:
            real = download.public
            monkeypatch.setattr(download, "public", lambda a: a == "127.0.0.1" or real(a))
            with pytest.raises(ValueError, match=r"leads to 127\.0\.0\.2, which is no address of the open internet"):
                download.sound(link(running, "/x.mp3"))
        assert not inside.asked and not kept(cache)


def test_a_name_is_resolved_once_and_the_address_that_was_checked_is_connected_to(cache, monkeypatch):
    """A host whose name is public when checked and private when connected to gains nothing."""
    with server({"/x.mp3": send(200, sound())}) as running:
        answers = [["8.8.8.8"], ["127.0.0.1"]]
        connected = []

        def resolve(host, port, **_):
            found = answers.pop(0) if host == "rebind.example" else [host]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in found]

        def connect(address, timeout):
            connected.append(address[0])
            raise ConnectionRefusedError("nobody")

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        monkeypatch.setattr(socket, "create_connection", connect)
        with pytest.raises(ValueError, match=r"127\.0\.0\.1, which is no address of the open internet"):
            download.sound(link(running, "/x.mp3", "rebind.example"))
        assert connected == ["8.8.8.8"] and not running.asked


def test_one_private_address_among_public_ones_refuses_the_host(cache, monkeypatch):
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, **_: [(2, 1, 6, "", ("8.8.8.8", port)), (2, 1, 6, "", ("10.0.0.7", port))],
    )
    with pytest.raises(ValueError, match=r"leads to 10\.0\.0\.7"):
        download.sound("https://both.example/x.mp3")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ftp://host.example/x.mp3", "no http or https address"),
        ("file:///etc/passwd", "no http or https address"),
        ("//host.example/x.mp3", "no http or https address"),
        ("http://user:pass@host.example/x.mp3", "http://host.example/x.mp3 is no http or https address"),
        ("http://host.example:99999/x.mp3", "no web address"),
        ("http:///x.mp3", "no http or https address"),
    ],
)
def test_other_addresses_are_refused_without_their_secrets(address, says, cache):
    with pytest.raises(ValueError, match=says) as caught:
        download.sound(address)
    assert "pass@" not in str(caught.value)


def test_redirects_are_followed_a_few_times(cache, loopback):
    with server({"/a": send(301, Location="/b"), "/b": send(307, Location="c.mp3"), "/c.mp3": send(200, sound())}) as r:
        assert download.sound(link(r, "/a")).read_bytes() == sound()
    with server({"/a": send(302, Location="/a")}) as running:
        with pytest.raises(ValueError, match="leads from one address to another more than 5 times"):
            download.sound(link(running, "/a"))
        assert len(running.asked) == download.MAX_REDIRECTS + 1


def test_too_much_is_refused_whether_it_is_announced_or_not(cache, loopback, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 1 << 16)

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 4096)
        except OSError:
            pass

    with server({"/told": send(200, b"x" * 70000), "/endless": endless}) as running:
        for path in ("/told", "/endless"):
            with pytest.raises(ValueError, match="larger than 0 MiB, too large for a song"):
                download.sound(link(running, path))
    assert not kept(cache)


@pytest.mark.parametrize("when", ["header", "body"])
def test_a_server_that_drips_is_cut_off(when, cache, loopback, monkeypatch):
    monkeypatch.setattr(download, "MAX_SECONDS", 0.5)

    def drip(handler):
        try:
            handler.wfile.write(b"HTTP/1.0 200 OK\r\n" + (b"\r\n" if when == "body" else b""))
            while True:
                handler.wfile.write(b"x")
                time.sleep(0.02)
        except OSError:
            pass

    with server({"/x.mp3": drip}) as running:
        begin = time.monotonic()
        with pytest.raises(ValueError, match=r"takes longer than 0\.5 s|could not be reached"):
            download.sound(link(running, "/x.mp3"))
        assert time.monotonic() - begin < 5
    assert not kept(cache)


def test_a_short_answer_and_a_tired_server_are_asked_again(cache, loopback):
    def short(handler):
        answers["/x.mp3"] = send(503)
        send(200, sound()[:100], Content_Length=str(len(sound())))(handler)

    tried = []

    def tired(handler):
        tried.append(1)
        (send(503) if len(tried) < 2 else send(200, sound()))(handler)

    answers = {"/x.mp3": short, "/y.mp3": tired}
    with server(answers) as running:
        with pytest.raises(ValueError, match=r"could not be reached .*503"):
            download.sound(link(running, "/x.mp3"))
        assert download.sound(link(running, "/y.mp3")).read_bytes() == sound() and len(running.asked) == 5


def test_what_is_no_sound_or_not_there_is_named_and_not_kept(cache, loopback):
    with server({"/page.mp3": send(200, b"<html>Please log in</html>"), "/gone.mp3": send(404)}) as running:
        with pytest.raises(ValueError, match=r"http://127\.0\.0\.1:\d+/page\.mp3 is no sound: it looks like a text"):
            download.sound(link(running, "/page.mp3"))
        with pytest.raises(ValueError, match=r"gone\.mp3 cannot be fetched: its server answers 404"):
            download.sound(link(running, "/gone.mp3"))
        assert len(running.asked) == 2  # which asking again would not change
    assert not kept(cache)


def test_the_kept_sound_is_read_without_the_network(cache, loopback, monkeypatch):
    with server({"/x.mp3": send(200, sound())}) as running:
        address = link(running, "/x.mp3")
        download.sound(address)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("the network was asked"))
    assert np.isfinite(audio.read(download.sound(address))).all()
