"""A listing without what packets put into it."""

from ansible.module_utils.rackwright.nft_listing import lasting

FIXED = """table inet rackwright {
	set management_4 {
		type ipv4_addr
		flags interval
		elements = { 10.0.40.1 }
	}

	set callers_open_4 {
		type ipv4_addr
		size 65535
		flags dynamic
%s	}

	chain input {
		type filter hook input priority filter; policy drop;
	}
}
"""
CALLERS = "".join(
    f"\t\t{begin} 10.0.0.{number} ct count over 2048 {end}\n"
    for number, begin, end in ((1, "elements = {", ","), (2, "", ","), (3, "", "}"))
)


def test_callers_that_come_and_go_do_not_change_it() -> None:
    assert lasting(FIXED % CALLERS) == lasting(FIXED % "") == FIXED % ""


def test_what_somebody_adds_by_hand_does() -> None:
    assert lasting((FIXED % CALLERS).replace("10.0.40.1", "10.0.40.1, 10.9.9.9")) != FIXED % ""
