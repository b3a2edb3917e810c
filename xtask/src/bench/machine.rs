//! The description of the machine that a benchmark ran on.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

/// A sentence for the document: cores, processor, memory, kernel, compiler and date.
pub fn describe(date: &str) -> String {
    let unknown = || "unknown".to_owned();
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown);
    let memory = field(&read("/proc/meminfo"), "MemTotal").and_then(|size| gibibytes(&size));
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = available_parallelism().map_or_else(|_| unknown(), |cores| cores.to_string());
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map_or_else(|_| unknown(), |o| String::from_utf8_lossy(&o.stdout).into());
    format!(
        "Measured on {date} by `cargo xtask bench`: {cores} cores ({model}), {} of memory, \
         {} {}, {}.\n",
        memory.unwrap_or_else(unknown),
        std::env::consts::OS,
        kernel.trim(),
        rustc.trim(),
    )
}

/// The first value of `name` in lines of `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let of_line = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    };
    text.lines().find_map(of_line)
}

fn gibibytes(size: &str) -> Option<String> {
    let kibibytes: f64 = size.strip_suffix("kB")?.trim().parse().ok()?;
    Some(format!("{:.1} GiB", kibibytes / 1048576.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_their_whole_name() {
        let text = "model\t\t: 85\nmodel name\t: Some CPU @ 2.5GHz\nmodel name\t: Other\n";
        assert_eq!(field(text, "model name").unwrap(), "Some CPU @ 2.5GHz");
        assert_eq!(field(text, "MemTotal"), None);
    }

    #[test]
    fn memory_is_told_in_gibibytes() {
        assert_eq!(gibibytes("8388608 kB").unwrap(), "8.0 GiB");
    }
}
