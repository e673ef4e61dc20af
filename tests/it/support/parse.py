"""Reads a block of a page as the program that it is meant for would, and prints it as JSON.

Usage: parse.py LANGUAGE BLOCK. What cannot be read ends it with an error.
"""

import configparser
import json
import sys

import yaml


def ini(text: str) -> dict:
    """systemd repeats names; a file of variables has no section."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    parser.optionxform = str
    parser.read_string(text if text.startswith("[") else f"[variables]\n{text}")
    return {section: dict(parser[section]) for section in parser.sections()}


def json_entry(text: str) -> dict:
    """A document, or an entry that goes into one."""
    return json.loads(text if text.startswith("{") else f"{{{text.rstrip().removesuffix(',')}}}")


readers = {"yaml": yaml.safe_load, "json": json_entry, "ini": ini}
json.dump(readers[sys.argv[1]](sys.argv[2]), sys.stdout)
