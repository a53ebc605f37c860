//! The table of routes against its description for machines, `docs/openapi.yaml`.

use std::collections::BTreeSet;

use super::ROUTES;

const DESCRIPTION: &str = include_str!("../../../docs/openapi.yaml");

/// What is answered outside of the table.
const BESIDE_THE_TABLE: [(&str, &str); 1] = [("GET", "/api/v1/ws")];

#[test]
fn every_route_is_described_and_nothing_else() {
    let description: serde_json::Value = serde_yaml_ng::from_str(DESCRIPTION).expect("YAML");
    let mut described = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (path, item) in description["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            if method == "parameters" {
                continue;
            }
            described.insert(format!("{} {path}", method.to_uppercase()));
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name.to_owned()), "{name} is the name of two");
        }
    }
    let routes = ROUTES.into_iter().map(|route| format!("{} {}", route.method, route.path));
    let others = BESIDE_THE_TABLE.iter().map(|(method, path)| format!("{method} {path}"));
    let answered: BTreeSet<_> = routes.chain(others).collect();
    let only = |some: &BTreeSet<String>, others| {
        some.difference(others).cloned().collect::<Vec<_>>().join(", ")
    };
    assert_eq!(only(&answered, &described), "", "routes that are not described");
    assert_eq!(only(&described, &answered), "", "what is described and not answered");
}
