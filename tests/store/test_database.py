"""The one file: made, brought to its schema, refused with a sentence when it cannot be used."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge_agent.errors import StoreError
from edge_agent.store.database import Database

TABLE = "CREATE TABLE words (word TEXT NOT NULL)"


def words(database: Database) -> list[str]:
    with database.reading() as connection:
        return [row["word"] for row in connection.execute("SELECT word FROM words ORDER BY word")]


def add(database: Database, word: str) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO words VALUES (?)", (word,))


def test_a_new_file_is_made_with_its_folders_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "journal.db"
    database = Database(path, (TABLE,))
    with database.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
    database.close()
    assert path.is_file()


def test_opening_again_applies_only_the_new_migrations(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first = Database(path, (TABLE,))
    add(first, "old")
    first.close()
    second = Database(path, (TABLE, "ALTER TABLE words ADD COLUMN length INTEGER"))
    assert words(second) == ["old"]
    with second.reading() as connection:
        assert connection.execute("SELECT length FROM words").fetchone()[0] is None


def test_a_file_from_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Database(path, (TABLE, "CREATE TABLE more (x)")).close()
    with pytest.raises(StoreError, match="newer edge-agent"):
        Database(path, (TABLE,))


def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_text("these are notes, not a database, and long enough to be read as a header " * 9)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"journal\.db cannot be used as a database"):
        Database(path, (TABLE,))
    assert path.read_bytes() == before


def test_a_folder_in_the_way_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be used"):
        Database(tmp_path, (TABLE,))


def test_a_path_below_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="check that the folder can be written"):
        Database(tmp_path / "file" / "journal.db", (TABLE,))


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db", (TABLE,))
    with pytest.raises(KeyError), database.transaction() as connection:
        connection.execute("INSERT INTO words VALUES ('half')")
        raise KeyError
    add(database, "whole")
    assert words(database) == ["whole"]


def test_a_broken_migration_leaves_the_file_at_its_old_schema(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Database(path, (TABLE,)).close()
    with pytest.raises(StoreError):
        Database(path, (TABLE, "CREATE TABLE good (x);\nCREATE NONSENSE"))
    with sqlite3.connect(path) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert names == {"words"}


def test_threads_share_one_database(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db", (TABLE,))

    def work(n: int) -> None:
        for i in range(20):
            add(database, f"{n}-{i:02}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert words(database) == sorted(f"{n}-{i:02}" for n in range(4) for i in range(20))


def test_what_was_committed_survives_a_process_that_dies(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    script = (
        "import os, pathlib, sys\n"
        "from edge_agent.store.database import Database\n"
        f"database = Database(pathlib.Path(sys.argv[1]), ({TABLE!r},))\n"
        "with database.transaction() as connection:\n"
        "    connection.execute(\"INSERT INTO words VALUES ('kept')\")\n"
        "os._exit(9)\n"
    )
    died = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert died.returncode == 9
    assert words(Database(path, (TABLE,))) == ["kept"]


def test_using_a_closed_database_is_a_store_error(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.db", (TABLE,))
    database.close()
    with pytest.raises(StoreError):
        words(database)
