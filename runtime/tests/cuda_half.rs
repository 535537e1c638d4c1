//! What comes before CUDA's half of libtorch is loaded must not ask for it: libtorch remembers the first answer for good. A process of
//! its own, where nobody else has asked.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use runtime::device::{check_torch, device};
use runtime::ffi;

#[test]
fn the_look_at_the_version_does_not_switch_cuda_off() {
    check_torch().unwrap();
    let found = device("cuda");
    // A build of libtorch without CUDA has no other half.
    if ffi::load_cuda().is_err() {
        assert!(found.unwrap_err().to_string().contains("has no CUDA"));
        return;
    }
    // Without a driver it is the other half that says so, and not the first that there is none.
    if let Err(error) = ffi::cuda_version() {
        assert!(!error.to_string().contains("without ATen_cuda"), "{error}");
    }
}
