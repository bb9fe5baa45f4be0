use super::*;

#[test]
fn the_defaults_are_the_tutorials_network() {
    let mut network = Tutorial::default().build(5, 1).unwrap();
    assert_eq!(network.summary().parameters(), 1_645_125);
    network.freeze_through(FEATURES_END).unwrap();
    assert_eq!(network.summary().trainable(), 1_606_405);
    assert_eq!(network.summary().frozen(), 38_720);
    assert_eq!(Architecture::from(Tutorial::default()).features_end(), FEATURES_END);
}

#[test]
fn parameters_are_foretold() {
    for tutorial in [
        Tutorial::default(),
        Tutorial { filters: [8, 12], kernel: 5, pool: 3, dense: 7, ..Tutorial::default() },
        Tutorial { filters: [1, 1], kernel: 1, pool: 32, dense: 1, ..Tutorial::default() },
    ] {
        for classes in [2, 5] {
            let built = tutorial.build(classes, 1).unwrap().summary().parameters();
            assert_eq!(Architecture::from(tutorial.clone()).parameters(classes), built as u64, "{tutorial:?}");
        }
    }
    let absurd = Tutorial { filters: [usize::MAX; 2], ..Tutorial::default() };
    assert_eq!(Architecture::from(absurd.clone()).parameters(5), 0);
    assert!(absurd.build(5, 1).unwrap_err().message.contains("overflows"));
}

fn shipped(name: &str) -> Listed {
    file::read(&[env!("CARGO_MANIFEST_DIR"), "networks", name].iter().collect::<PathBuf>()).unwrap()
}

#[test]
fn the_shipped_file_lists_the_tutorials_layers() {
    assert_eq!(shipped("tutorial.toml").layers, Tutorial::default().layers());
}

#[test]
fn the_shipped_files_list_networks() {
    for name in ["tutorial.toml", "vgg.toml", "tiny.toml"] {
        let architecture = Architecture::Listed(shipped(name));
        let mut network = architecture.build(7, 1).unwrap();
        assert_eq!(architecture.parameters(7), network.summary().parameters() as u64, "{name}");
        network.freeze_through(&architecture.features_end()).unwrap();
        assert!(network.summary().trainable() > 0, "{name}");
    }
}

#[test]
fn a_description_survives_the_way_through_toml_and_json() {
    for architecture in [
        Architecture::from(Tutorial::default()),
        Architecture::Listed(Listed { origin: None, ..shipped("tutorial.toml") }),
        Architecture::Listed(Listed { origin: None, ..shipped("vgg.toml") }),
    ] {
        let text = toml::to_string(&architecture).unwrap();
        assert_eq!(toml::from_str::<Architecture>(&text).unwrap(), architecture, "{text}");
        let text = serde_json::to_string(&architecture).unwrap();
        assert_eq!(serde_json::from_str::<Architecture>(&text).unwrap(), architecture, "{text}");
    }
}
