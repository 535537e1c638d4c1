//! The shared object of NCCL and of graphs of GPUs loads and is reached, in a process of its own: it takes CUDA's half of libtorch along.

#[cfg(has_cuda)]
#[test]
fn nccl_is_reached_where_the_build_has_it() {
    use runtime::ffi::load_cuda;
    use runtime::ranks::ffi::{Group, Store};
    use std::time::Duration;
    load_cuda().unwrap();
    let patience = Duration::from_secs(30);
    let store = Store::serve(0, "", patience).unwrap();
    let joined = Group::nccl(&store, (0, 1), 0, patience);
    match tch::Cuda::device_count() {
        0 => {
            let error = joined.err().unwrap().to_string();
            let is_about_gpus = ["GPU", "device", "driver"]
                .iter()
                .any(|word| error.contains(word));
            assert!(is_about_gpus, "{error}");
            println!("without a GPU it says: {error}");
            let error = runtime::ffi::Graph::begin().err().unwrap().to_string();
            assert!(error.contains("driver") || error.contains("GPU"), "{error}");
            println!("a graph says: {error}");
        }
        _ => joined.unwrap().barrier().unwrap(),
    }
}
