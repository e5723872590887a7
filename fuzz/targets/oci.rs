#![no_main]
libfuzzer_sys::fuzz_target!(|damage: &[u8]| hostvet_fuzz::damaged("oci", damage));
