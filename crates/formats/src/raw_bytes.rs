//! Bytes that mean nothing to a format.

use steadfast_core::format::{DecodeError, Decoder, EncodeError, Encoder, Payload};

/// Payloads as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawBytes;

impl Decoder for RawBytes {
    type Record = Vec<u8>;

    #[inline]
    fn decode(&mut self, payload: Payload<'_>) -> Result<Vec<u8>, DecodeError> {
        Ok(payload.bytes().to_vec())
    }
}

impl Encoder for RawBytes {
    type Record = Vec<u8>;

    #[inline]
    fn encode(&mut self, record: &Vec<u8>, payload: &mut Vec<u8>) -> Result<(), EncodeError> {
        payload.extend_from_slice(record);
        Ok(())
    }
}
