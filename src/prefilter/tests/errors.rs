//! Every way to get a `cues.toml` wrong, with its message.

use std::fmt::Write;

use super::*;

const BAD: [&str; 34] = [
    "[[class]\n",
    "clas = 1",
    "class = 1",
    "class = [1]",
    "[[class]]\nnam = 'a'",
    "[[class]]\n",
    "[[class]]\nname = ''",
    "[[class]]\nname = 'none'",
    "[[class]]\nname = 'a'\ndescription = 1",
    "[[class]]\nname = 'a'",
    "[[class]]\nname = 'a'\nchannels = []",
    "[[class]]\nname = 'a'\nchannels = ['final', 'finale']",
    "[[class]]\nname = 'a'\nrule = [{ kind = 'terms', terms = ['x'] }]\n[[class]]\nname = 'a'\nrule = [{ kind = 'terms', terms = ['x'] }]",
    "[lists]\na = 'x'",
    "[lists]\na = ['x', 2]",
    "[lists]\na = ['ü', ' x']",
    "[lists]\na = []",
    "RULE terms = ['x']",
    "RULE kind = 'term'\nterms = ['x']",
    "RULE kind = 'terms'\nterms = { list = 'self' }",
    "RULE kind = 'terms'\nterms = { lists = 'self' }",
    "RULE kind = 'terms'\nterms = ['x', '']",
    "RULE kind = 'terms'\nterms = [\"'''''\"]",
    "RULE kind = 'terms'\nterms = ['x']\npattern = 'y'",
    "RULE kind = 'regex'\npattern = '(x'",
    "RULE kind = 'regex'\npattern = '''\\bx\\b'''",
    "RULE kind = 'regex'\npattern = 'x*'",
    "RULE kind = 'near'\nterms = ['x']\nnear = ['y']",
    "RULE kind = 'near'\nterms = ['x']\nnear = ['y']\nwithin = -1",
    "RULE kind = 'near'\nterms = ['x']\nnear = ['y']\nwithin = 10_000",
    "RULE kind = 'near'\nterms = ['x']\nnear = ['y']\nwithin = 9\nat_least = 1",
    "RULE kind = 'near'\nterms = ['x']\nnear = ['y']\nwithin = 9\nalso = ['z', 'Z']\nat_least = 2",
    "RULE kind = 'length'\nmin_chars = 5\nmax_chars = 4",
    "RULE kind = 'tool_call'",
];

#[test]
fn bad_files_are_refused_with_place_and_advice() {
    let mut report = String::new();
    for cues in BAD {
        let cues = cues.replace("RULE ", "[[class]]\nname = 'a'\n[[class.rule]]\n");
        let error = Rules::parse(&cues).unwrap_err();
        writeln!(report, "{cues}\n--> {error}\n").unwrap();
    }
    insta::assert_snapshot!(report);
}

#[test]
fn a_list_is_named_by_its_nearest() {
    let cues = "[lists]\nself = ['I']\nother = ['you']\n[[class]]\nname = 'a'\n[[class.rule]]\nkind = 'terms'\nterms = { list = 'selv' }";
    let error = Rules::parse(cues).unwrap_err();
    assert_eq!(error.to_string(), "line 8, column 18: unknown list `selv`, the nearest is `self`");
}

#[test]
fn a_tool_rule_needs_the_tool_channel() {
    let cues = "[[class]]\nname = 'a'\nchannels = ['final']\n[[class.rule]]\nkind = 'tool_call'\nname = 'x'";
    let error = Rules::parse(cues).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 4, column 1: a `tool_call` rule never matches in a class without the channel `tool`"
    );
}

#[test]
fn patterns_that_outgrow_the_limits_are_refused() {
    let cues = "[[class]]\nname = 'a'\n[[class.rule]]\nkind = 'regex'\npattern = '(\\w{900}){900}'";
    let error = Screener::compile(&Rules::parse(cues).unwrap(), None, &Channel::ALL.into()).unwrap_err();
    assert_eq!(error.to_string(), "the patterns of all classes are too large to compile together");
}
