"""What a build is told about this machine's network."""

from __future__ import annotations

from mlpack.launchers.pip_settings import build_network, parse_config, without_password

WHEELS = {"/wheels": True}


def test_an_open_network_tells_nothing() -> None:
    network = build_network({}, {}, {})
    assert (network.args, network.wheels, network.said) == ({}, None, ())


def test_pip_config_is_read_with_the_environment_strongest() -> None:
    text = (
        "global.index-url='https://one/simple'\ninstall.index-url='https://two/simple'\n"
        ":env:.find-links='/a b'\nglobal.timeout='60'\nglobal.broken\n"
    )
    assert parse_config(text) == {"index-url": "https://two/simple", "find-links": "/a b", "timeout": "60"}


def test_an_index_is_forwarded_and_said() -> None:
    network = build_network({"PIP_INDEX_URL": "https://mirror/simple"}, {"index-url": "https://other"}, {})
    assert network.args == {"PIP_INDEX_URL": "https://mirror/simple"}
    assert any("https://mirror/simple" in line for line in network.said)


def test_a_folder_of_wheels_silences_the_extra_index() -> None:
    network = build_network({"PIP_FIND_LINKS": "/wheels"}, {}, WHEELS)
    assert network.wheels == "/wheels"
    assert network.args == {"PIP_EXTRA_INDEX_URL": ""}


def test_an_extra_index_of_ones_own_stays_beside_wheels() -> None:
    network = build_network({"PIP_FIND_LINKS": "/wheels", "PIP_EXTRA_INDEX_URL": "https://own/simple"}, {}, WHEELS)
    assert network.args == {"PIP_EXTRA_INDEX_URL": "https://own/simple"}


def test_addresses_on_this_disk_are_left_out_aloud() -> None:
    network = build_network({}, {"extra-index-url": "file:///mirror https://own/simple"}, {})
    assert network.args == {"PIP_EXTRA_INDEX_URL": "https://own/simple"}
    assert any("file:///mirror" in line and "cannot see it" in line for line in network.said)


def test_find_links_that_are_no_folder_or_a_second_one_are_named() -> None:
    network = build_network({"PIP_FIND_LINKS": "https://page /wheels /more"}, {}, {**WHEELS, "/more": True})
    assert network.wheels == "/wheels"
    assert sum("not used in the build" in line for line in network.said) == 2


def test_proxies_go_along_in_both_spellings() -> None:
    environ = {"HTTPS_PROXY": "http://me:secret@proxy:3128", "no_proxy": "localhost"}
    network = build_network(environ, {}, {})
    assert network.args == environ
    assert not any("secret" in line for line in network.said)


def test_passwords_are_not_shown() -> None:
    assert without_password("https://me:secret@host/simple") == "https://me:***@host/simple"
    assert without_password("https://host/simple") == "https://host/simple"
    assert without_password("plain") == "plain"
    network = build_network({"PIP_INDEX_URL": "https://me:secret@host/simple"}, {}, {})
    assert not any("secret" in line for line in network.said)
