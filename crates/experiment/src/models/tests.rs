use super::*;

#[test]
fn the_defaults_are_the_tutorials_network() {
    let mut network = TutorialNetwork::default().build(5, 1).unwrap();
    assert_eq!(network.summary().parameters(), 1_645_125);
    network.freeze_through(FEATURES_END).unwrap();
    assert_eq!(network.summary().trainable(), 1_606_405);
    assert_eq!(network.summary().frozen(), 38_720);
    assert_eq!(Architecture::from(TutorialNetwork::default()).features_end(), FEATURES_END);
}

#[test]
fn huge_networks_are_refused_before_anything_is_allocated() {
    let numbers = TutorialNetwork::default;
    for (tutorial, words) in [
        (TutorialNetwork { filters: [usize::MAX; 2], ..numbers() }, "overflows"),
        (TutorialNetwork { filters: [1 << 12, 1 << 16], ..numbers() }, "parameters; expected at most 1,000,000,000"),
        (
            TutorialNetwork { dense: 80_000, ..numbers() },
            "would have 1,004,038,725 parameters; expected at most 1,000,000,000",
        ),
        (TutorialNetwork { filters: [40_000, 1], kernel: 1, ..numbers() }, "would take"),
    ] {
        let message = Architecture::from(tutorial).outline(5).unwrap_err().message;
        assert!(message.contains(words), "{words}: {message}");
    }
}

fn shipped(name: &str) -> Listed {
    file::read(&[env!("CARGO_MANIFEST_DIR"), "networks", name].iter().collect::<PathBuf>()).unwrap()
}

#[test]
fn tutorial_toml_lists_the_tutorials_layers() {
    assert_eq!(shipped("tutorial.toml").layers, TutorialNetwork::default().layers());
}

#[test]
fn all_shipped_files_can_be_built() {
    for name in ["tutorial.toml", "vgg.toml", "tiny.toml"] {
        let architecture = Architecture::Listed(shipped(name));
        let mut network = architecture.build(7, 1).unwrap();
        network.freeze_through(&architecture.features_end()).unwrap();
        assert!(network.summary().trainable() > 0, "{name}");
    }
}

#[test]
fn a_description_survives_toml_and_json() {
    for architecture in [
        Architecture::from(TutorialNetwork::default()),
        Architecture::Listed(Listed { origin: None, ..shipped("tutorial.toml") }),
        Architecture::Listed(Listed { origin: None, ..shipped("vgg.toml") }),
    ] {
        let text = toml::to_string(&architecture).unwrap();
        assert_eq!(toml::from_str::<Architecture>(&text).unwrap(), architecture, "{text}");
        let text = serde_json::to_string(&architecture).unwrap();
        assert_eq!(serde_json::from_str::<Architecture>(&text).unwrap(), architecture, "{text}");
    }
}
