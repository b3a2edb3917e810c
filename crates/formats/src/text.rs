//! Text, and text of which a function makes records.

use std::sync::Arc;

use steadfast_core::format::{DecodeError, Decoder, EncodeError, Encoder, Payload};

/// Payloads that are UTF-8. A carriage return at the end belongs to the line end and is taken away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Decoder for Text {
    type Record = String;

    #[inline]
    fn decode(&mut self, payload: Payload<'_>) -> Result<String, DecodeError> {
        Ok(without_line_end(payload.text()?).to_string())
    }
}

impl Encoder for Text {
    type Record = String;

    #[inline]
    fn encode(&mut self, record: &String, payload: &mut Vec<u8>) -> Result<(), EncodeError> {
        payload.extend_from_slice(record.as_bytes());
        Ok(())
    }
}

fn without_line_end(text: &str) -> &str {
    text.strip_suffix('\r').unwrap_or(text)
}

/// Text, of which a function makes a record, or says why it is none.
///
/// ```
/// use steadfast_core::format::{Decoder, Payload};
/// use steadfast_formats::Parsed;
///
/// let mut numbers = Parsed::new(|text: &str| text.parse::<u64>().map_err(|e| e.to_string()));
/// assert_eq!(numbers.decode(Payload::Text("17\r")), Ok(17));
/// assert!(numbers.decode(Payload::Text("many")).is_err());
/// ```
pub struct Parsed<F>(Arc<F>);

impl<F> Parsed<F> {
    /// Makes records with `parse`, which is given text without a carriage return at its end.
    pub fn new<T>(parse: F) -> Self
    where
        F: Fn(&str) -> Result<T, String>,
    {
        Parsed(Arc::new(parse))
    }
}

impl<F> Clone for Parsed<F> {
    fn clone(&self) -> Self {
        Parsed(Arc::clone(&self.0))
    }
}

impl<T, F> Decoder for Parsed<F>
where
    T: Send + 'static,
    F: Fn(&str) -> Result<T, String> + Send + Sync + 'static,
{
    type Record = T;

    #[inline]
    fn decode(&mut self, payload: Payload<'_>) -> Result<T, DecodeError> {
        (self.0)(without_line_end(payload.text()?)).map_err(DecodeError::new)
    }
}
