use super::*;
use crate::models::{ConvMethod, INPUT, Listed, file, layers::Layer};

/// A network of these layers, as in a file for `--model`, with different numbers in all parameters.
fn network(layers: &str, classes: usize) -> (Architecture, Network) {
    let text = format!("layers = [{layers}]");
    let architecture = Architecture::Listed(file::parse("own.toml".as_ref(), &text, false).unwrap());
    let mut network = architecture.build(classes, 1).unwrap();
    let mut numbers = 1..;
    network.update_params(|_, param| param.value.fill_with(|| numbers.next().unwrap() as f32));
    (architecture, network)
}

/// The place of an index in an array of these dimensions, the last varying fastest.
fn place(dims: &[usize], index: &[usize]) -> usize {
    assert!(
        dims.len() == index.len() && index.iter().zip(dims).all(|(index, dim)| index < dim),
        "{index:?} in {dims:?}"
    );
    dims.iter().zip(index).fold(0, |place, (dim, index)| place * dim + index)
}

/// Every index of an array.
fn indices(dims: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    (0..dims.iter().product()).map(move |mut place| {
        let mut index = vec![0; dims.len()];
        for (at, dim) in dims.iter().enumerate().rev() {
            (index[at], place) = (place % dim, place / dim);
        }
        index
    })
}

/// The layouts of both frameworks, from their documentation. `scripts/prove_exchange.py` compares logits with theirs.
#[test]
fn every_weight_is_where_the_framework_looks_for_it() {
    let (architecture, network) = network(
        r#"{ type = "Conv2D", name = "conv", filters = 3, kernel_size = [2, 4], strides = 9 },
        { type = "DepthwiseConv2D", name = "depthwise", kernel_size = [1, 2] },
        { type = "Residual", name = "block", layers = [
            { type = "Conv2D", name = "project", filters = 3, kernel_size = 1 },
        ] },
        { type = "BatchNormalization", name = "norm" },
        { type = "Flatten" },
        { type = "BatchNormalization", name = "flat_norm" },
        { type = "Dropout", rate = 0.5 },
        { type = "Dense", name = "hidden", units = 5, activation = "relu" },
        { type = "BatchNormalization", name = "hidden_norm" },
        { type = "Dense", name = "logits" }"#,
        4,
    );
    // The image that is flattened: height, width, channels.
    let image = [4, 3, 3];
    assert_eq!(network.params().find(|(name, _)| name == "hidden/kernel").unwrap().1.shape.dims(), [4 * 3 * 3, 5]);
    let channels_first = |pixel: usize| {
        let [height, width, channels] = image;
        let (row, column, channel) = (pixel / channels / width, pixel / channels % width, pixel % channels);
        place(&[channels, height, width], &[channel, row, column])
    };
    // Where PyTorch keeps the element of a parameter.
    let in_pytorch = |layer: &str, parameter: &str, index: &[usize]| match (layer, parameter, index) {
        ("depthwise", "kernel", &[row, column, channel]) => vec![channel, 0, row, column],
        (_, "kernel", &[row, column, input, output]) => vec![output, input, row, column],
        ("hidden", "kernel", &[input, output]) => vec![output, channels_first(input)],
        (_, "kernel", &[input, output]) => vec![output, input],
        ("flat_norm", _, &[feature]) => vec![channels_first(feature)],
        _ => index.to_vec(),
    };
    let pytorchs = [
        ("kernel", "weight"),
        ("gamma", "weight"),
        ("bias", "bias"),
        ("beta", "bias"),
        ("moving_mean", "running_mean"),
        ("moving_variance", "running_var"),
    ];
    let [torch, keras] =
        [Framework::Torch, Framework::Keras].map(|framework| export(&network, &architecture, framework).unwrap());
    let [torch, keras] = [&torch, &keras].map(|bytes| TensorFile::parse(bytes).unwrap());
    for (name, param) in network.params() {
        let (layer, parameter) = name.rsplit_once('/').unwrap();
        let (_, theirs) = pytorchs.iter().find(|(ours, _)| *ours == parameter).unwrap();
        let their_name = format!("{}.{theirs}", layer.replace('/', "."));
        let dims = param.shape.dims();
        let their_dims = torch.header.shape(&their_name).unwrap();
        let in_torch = torch.values(&their_name, &their_dims).unwrap();
        let in_keras = keras.values(&name, &keras.header.shape(&name).unwrap()).unwrap();
        assert_eq!((in_torch.len(), &in_keras[..]), (param.value.len(), &param.value[..]), "{name}");
        for index in indices(dims) {
            let theirs = in_torch[place(&their_dims, &in_pytorch(layer, parameter, &index))];
            assert_eq!(theirs, param.value[place(dims, &index)], "{name} {index:?}");
        }
    }
    assert_eq!(keras.header.shape("depthwise/kernel").unwrap(), [1, 2, 3, 1]);
    assert_eq!([&torch, &keras].map(|file| file.header.names().len()), [network.params().count(); 2]);
}

#[test]
fn imported_weights_are_those_that_were_exported() {
    for layers in [
        r#"{ type = "Conv2D", filters = 2, kernel_size = 3, strides = 5 }, { type = "Flatten" },
           { type = "Activation", activation = "relu" }, { type = "Dense", units = 3 }, { type = "Dense" }"#,
        // Flattened images of one pixel and of one channel, and the pixels themselves.
        r#"{ type = "Conv2D", filters = 2, kernel_size = 3 }, { type = "GlobalAveragePooling2D" }, { type = "Flatten" },
           { type = "BatchNormalization" }, { type = "Dense" }"#,
        r#"{ type = "Conv2D", filters = 1, kernel_size = 31 }, { type = "Flatten" }"#,
        r#"{ type = "Flatten" }, { type = "Dense" }"#,
    ] {
        let (architecture, network) = network(layers, 4);
        for framework in [Framework::Torch, Framework::Keras] {
            let bytes = export(&network, &architecture, framework).unwrap();
            let mut back = architecture.build(4, 2).unwrap();
            import(&mut back, &architecture, &TensorFile::parse(&bytes).unwrap(), framework, None).unwrap();
            let same = network.params().zip(back.params()).all(|((_, a), (_, b))| a.value[..] == b.value[..]);
            assert!(same, "{framework:?}: {layers}");
        }
    }
    // The classes would be in another order.
    let (architecture, network) =
        network(r#"{ type = "Conv2D", filters = 2, kernel_size = 31 }, { type = "Flatten" }"#, 8);
    let failure = export(&network, &architecture, Framework::Torch).unwrap_err();
    assert!(failure.message.contains("outputs are a flattened image"), "{failure}");
    assert!(export(&network, &architecture, Framework::Keras).is_ok());
}

#[test]
fn names_with_a_dot_are_not_exported_to_pytorch() {
    for layers in [
        r#"{ type = "Flatten" }, { type = "Dense", name = "head.1" }"#,
        r#"{ type = "Residual", name = "a", layers = [{ type = "Activation", name = "b.c", activation = "relu" }] },
           { type = "Flatten" }, { type = "Dense" }"#,
    ] {
        let (architecture, network) = network(layers, 4);
        let failure = export(&network, &architecture, Framework::Torch).unwrap_err();
        assert!(failure.message.contains("has a '.' in its name"), "{failure}");
        assert!(export(&network, &architecture, Framework::Keras).is_ok());
    }
}

#[test]
fn pytorch_code_pads_like_keras() {
    let image = |layer: &str| {
        let layer: Layer = toml::from_str(&format!("name = \"a\"\n{layer}")).unwrap();
        let layers = vec![layer, Layer::GlobalAveragePooling2D { name: "b".to_owned() }];
        let architecture =
            Architecture::Listed(Listed { conv_method: ConvMethod::Auto, size: INPUT[0], layers, origin: None });
        pytorch::code(&architecture, 3, "a \"file\".safetensors")
    };
    for (layer, words) in [
        ("type = \"Conv2D\"\nfilters = 3\nkernel_size = 3", "(\"a\", nn.Conv2d(3, 3, [3, 3], stride=[1, 1])),"),
        (
            "type = \"Conv2D\"\nfilters = 3\nkernel_size = [3, 5]\npadding = \"same\"",
            "(\"a\", nn.Conv2d(3, 3, [3, 5], stride=[1, 1], padding=[1, 2])),",
        ),
        (
            "type = \"Conv2D\"\nfilters = 3\nkernel_size = [3, 1]\nstrides = 2\npadding = \"same\"",
            "(\"a/pad\", nn.ZeroPad2d([0, 0, 0, 1])),\n    (\"a\", nn.Conv2d(3, 3, [3, 1], stride=[2, 2])),",
        ),
        (
            "type = \"MaxPooling2D\"\npool_size = 3\npadding = \"same\"",
            "nn.Sequential(nn.ConstantPad2d([0, 1, 0, 1], float(\"-inf\")), nn.MaxPool2d([3, 3], stride=[3, 3]))",
        ),
        (
            "type = \"AveragePooling2D\"\npool_size = 3\nstrides = [2, 1]\npadding = \"same\"",
            "nn.AvgPool2d([3, 3], stride=[2, 1], padding=[0, 1], ceil_mode=True, count_include_pad=False)),",
        ),
        (
            "type = \"AveragePooling2D\"\nstrides = 1\npadding = \"same\"",
            "padding=[1, 1], ceil_mode=True, count_include_pad=False), nn.ZeroPad2d([-1, 0, -1, 0])",
        ),
        (
            "type = \"DepthwiseConv2D\"\nkernel_size = 3\npadding = \"same\"",
            "(\"a\", nn.Conv2d(3, 3, [3, 3], stride=[1, 1], padding=[1, 1], groups=3)),",
        ),
        (
            "type = \"Residual\"\nlayers = [{ type = \"Activation\", name = \"c\", activation = \"relu6\" }]",
            "(\"a\", Residual(OrderedDict([(\"c\", nn.ReLU6())]))),",
        ),
        ("type = \"Rescaling\"\nscale = 2", "(\"a\", Rescaling([2.0], [0.0])),"),
        ("type = \"BatchNormalization\"", "(\"a\", nn.BatchNorm2d(3, eps=0.001, momentum=1 - 0.99)),"),
        ("type = \"Dropout\"\nrate = 0.5", "load_file(\"a \\\"file\\\".safetensors\")"),
    ] {
        assert!(image(layer).contains(words), "{words}: {}", image(layer));
    }
}

#[test]
fn all_float_types_are_read() {
    use safetensors::tensor::{Dtype, TensorView};

    let expected = [1.0, -2.0, 65504.0, 0.0, f32::powi(2.0, -24), 0.333_251_95, -f32::powi(2.0, -14)];
    let half: [u16; 7] = [0x3c00, 0xc000, 0x7bff, 0x8000, 0x0001, 0x3555, 0x8400];
    let wide = expected.map(|value| f64::from(value).to_le_bytes()).as_flattened().to_vec();
    let brain = expected.map(|value| (value.to_bits() >> 16) as u16);
    let from_brain = brain.map(|bits| f32::from_bits(u32::from(bits) << 16));
    let bytes = |bits: [u16; 7]| bits.map(u16::to_le_bytes).as_flattened().to_vec();
    for (dtype, data, expected) in [
        (Dtype::F16, bytes(half), Ok(expected)),
        (Dtype::BF16, bytes(brain), Ok(from_brain)),
        (Dtype::F64, wide, Ok(expected)),
        (Dtype::F16, bytes([0x7c00; 7]), Err("value 0 is inf; expected finite numbers")),
        (Dtype::F16, bytes([0xfe00; 7]), Err("value 0 is NaN; expected finite numbers")),
        (Dtype::F64, [1e300; 7].map(f64::to_le_bytes).as_flattened().to_vec(), Err("value 0 is inf")),
        (Dtype::I16, bytes(half), Err("expected F32, F16, BF16 or F64, found I16")),
    ] {
        let view = TensorView::new(dtype, vec![7], &data).unwrap();
        let file = safetensors::serialize([("x", view)], None).unwrap();
        let file = TensorFile::parse(&file).unwrap();
        match (file.float_values("x", &[7]), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{dtype:?}"),
            (Err(found), Err(words)) => assert!(found.contains(words), "{words}: {found}"),
            (found, expected) => panic!("{dtype:?}: {found:?}, expected {expected:?}"),
        }
        // The program's own files have only F32.
        assert!(file.values("x", &[7]).unwrap_err().contains("expected F32, found "));
    }
}
