//! The frame of a record in an event file, TensorFlow's TFRecord.
//!
//! ```text
//! length   u64, little-endian
//! check    u32, masked CRC-32C of the length
//! data     `length` bytes
//! check    u32, masked CRC-32C of the data
//! ```

/// The frame around these bytes.
pub fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked(data).to_le_bytes());
    record
}

/// The check of a frame: a CRC of data that hold CRCs is weak, so it is rotated by 15 bits and a constant is added.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// The data of all whole records of a file, up to the first that is cut off or damaged.
#[cfg(test)]
pub fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![];
    while let Some((head, rest)) = file.split_at_checked(12) {
        let (length, check) = head.split_at(8);
        let count = u64::from_le_bytes(length.try_into().expect("eight bytes"));
        let Some((data, rest)) = rest.split_at_checked(count as usize) else {
            break;
        };
        let Some((after, rest)) = rest.split_at_checked(4) else {
            break;
        };
        if masked(length).to_le_bytes() != check || masked(data).to_le_bytes() != after {
            break;
        }
        found.push(data.to_vec());
        file = rest;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-32C of 32 zero bytes is 8a9136aa (RFC 3720, B.4); rotated 6d551522, with the constant 0fd7fffa.
    #[test]
    fn a_check_is_the_masked_crc_of_the_format() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked(&[0; 32]), 0x0fd7_fffa);
    }

    #[test]
    fn records_come_back_and_a_cut_or_damaged_one_ends_them() {
        let mut file = [framed(b"one"), framed(b""), framed(b"three")].concat();
        assert_eq!(records(&file), [&b"one"[..], b"", b"three"]);
        assert_eq!(records(&file[..file.len() - 1]).len(), 2);
        file[20] ^= 1;
        assert_eq!(records(&file).len(), 1);
    }
}
