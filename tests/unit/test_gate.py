"""The gate between two steps: who failed holds the others back, in a later wave as well."""

from __future__ import annotations

from pathlib import Path

from unit.local_play import local_play

# As a wave of the role does it, once for each host: in the first the other has nothing to do.
PLAY = """
- hosts: a, b
  gather_facts: false
  tasks:
    - block:
        - ansible.builtin.include_tasks: wave.yml
          loop: [a, b]
          loop_control: {loop_var: wave}
        - ansible.builtin.debug: {msg: "committed"}
      rescue:
        - ansible.builtin.debug: {msg: "rescued: {{ ansible_failed_result['msg'] }}"}
"""
WAVE = """
- ansible.builtin.assert: {that: "inventory_hostname != FAILS", fail_msg: it does not come up}
  when: inventory_hostname == wave
  register: rolled
- ansible.builtin.debug: {msg: verified}
  when: inventory_hostname == wave
  register: verified
- maestro.stacks.gate: {hosts: ["{{ wave }}"], steps: [rolled, verified]}
"""


def run(home: Path, fails: str) -> str:
    """Play two waves of one host each; ``fails`` does not roll."""
    (home / "play.yml").write_text(PLAY)
    (home / "wave.yml").write_text(WAVE.replace("FAILS", repr(fails)))
    done = local_play(home / "play.yml", "a,b")
    return done.stdout + done.stderr


def test_where_nobody_fails_all_go_on(tmp_path: Path) -> None:
    assert run(tmp_path, "nobody").count("msg: committed") == 2


def test_the_first_wave_holds_the_second_back(tmp_path: Path) -> None:
    said = run(tmp_path, "a")
    assert "committed" not in said
    assert "rescued: it does not come up" in said
    assert "rescued: held back: a failed" in said


def test_the_second_wave_holds_the_first_back(tmp_path: Path) -> None:
    """In the first wave it had nothing to do; that result is not one of the second."""
    said = run(tmp_path, "b")
    assert "committed" not in said
    assert "rescued: it does not come up" in said
    assert "rescued: held back: b failed" in said
