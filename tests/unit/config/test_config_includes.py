from tests.unit.config.files import SOURCE, Files

RULE = "{{name: {0}, match: {{host: {0}.example}}, token_source: {1}}}"


def test_included_rules_follow_sorted_by_path(files: Files) -> None:
    """Contract section 2: sorted by path."""
    files.write("team/b.yaml", f"version: 1\nrules: [{RULE.format('three', 's')}]\n")
    files.write(
        "team/a.yaml", f"version: 1\ntoken_sources: {{t: {{{SOURCE}}}}}\nrules: [{RULE.format('two', 't')}]\n"
    )
    files.write("team/.hidden.yaml", "version: 5")
    files.write("team/folder.yaml/x", "")

    config = files.load(
        f"""
        version: 1
        token_sources: {{s: {{{SOURCE}}}}}
        rules: [{RULE.format("one", "t")}]
        include: [team/b.yaml, team/*.yaml, c.*]
        """
    )

    assert [rule.name for rule in config.rules] == ["one", "two", "three"]
    assert sorted(config.sources) == ["s", "t"]
    assert set(config.files) == {
        files.main,
        files.folder / "team" / "a.yaml",
        files.folder / "team" / "b.yaml",
        files.folder / "team",
        files.folder,
    }


def test_included_file_holds_sources_and_rules_only(files: Files) -> None:
    files.write("a.yaml", "version: 1\ninclude: [b.yaml]\nunmatched: block\n")

    assert files.problems("version: 1\ninclude: [a.yaml]\n") == [
        "a.yaml:2:1: include: unknown key, expected one of rules, token_sources, version",
        "a.yaml:3:1: unmatched: unknown key, expected one of rules, token_sources, version",
    ]


def test_names_are_unique_over_all_files(files: Files) -> None:
    files.write(
        "a.yaml", f"version: 1\ntoken_sources: {{s: {{{SOURCE}}}}}\nrules: [{RULE.format('one', 's')}]\n"
    )

    assert files.problems(
        f"version: 1\ntoken_sources: {{s: {{{SOURCE}}}}}\n"
        f"rules: [{RULE.format('one', 's')}]\ninclude: [a.yaml]\n"
    ) == [
        "a.yaml:2:17: token_sources.s: another file has a token source of this name",
        "a.yaml:3:10: rules[0].name: another rule has this name; expected one unique over all files",
    ]


def test_included_file_that_is_missing_is_a_problem(files: Files) -> None:
    assert files.problems("version: 1\ninclude: [x.yaml, gone.yaml]\n") == [
        "2:11: include[0]: no such file; relative paths count from this file",
        "2:19: include[1]: no such file; relative paths count from this file",
    ]


def test_pattern_without_files_draws_a_warning(files: Files) -> None:
    config = files.load("version: 1\ninclude: [team/*/x.yaml]\nrules: []\n")

    assert "include[0]: no file matches this pattern" in str(config.warnings[1])
    assert config.files == (files.main, files.folder / "team")


def test_file_is_included_once_however_its_path_is_written(files: Files) -> None:
    for name in ("a", "b"):
        files.write(
            f"team/{name}.yaml", f"version: 1\nrules: [{{name: {name}, match: {{host: {name}.example}}}}]\n"
        )
    (files.folder / "team" / "link.yaml").symlink_to("a.yaml")

    config = files.load(
        "version: 1\ninclude: [./team/b.yaml, 'team/*.yaml', team/../team/a.yaml]\nrules: []\n"
    )

    assert [rule.name for rule in config.rules] == ["a", "b"]


def test_main_file_does_not_include_itself(files: Files) -> None:
    config = files.load(f"version: 1\ninclude: ['*.yaml', '../{files.folder.name}/*.yaml']\nrules: []\n")

    assert config.files[0] == files.main
    assert files.main not in config.files[1:]
