//! The report: one HTML file that holds everything it shows. It needs no network, no script and no other
//! file.

mod chart;
mod choose;
pub(crate) mod html;
mod page;

use std::path::{Path, PathBuf};
use std::{fs, io};

use beltwatch_vision::picture::Picture;

use super::json::Evaluation;

pub use choose::{Choice, choose};

/// What the page tells.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The results.
    pub evaluation: &'a Evaluation,
    /// When it was tested.
    pub tested: &'a str,
    /// SHA-256 of the list of the test pictures' own.
    pub test_set: &'a str,
    /// What the device made of each test picture, for the histogram.
    pub scores: &'a [PictureScore],
    /// Pictures to look at.
    pub sections: &'a [Section],
    /// Lines that a reader should know, such as why a row was not run.
    pub notes: &'a [String],
}

/// A test picture's score on the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PictureScore {
    /// How different the part is, 0 or more.
    pub score: f64,
    /// Whether the part is good in truth.
    pub good: bool,
}

/// Panels of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// What the panels show, or, where there are none, what that means.
    pub about: String,
    /// The panels in their order.
    pub panels: Vec<Panel>,
}

/// One test picture, as it is and as the device sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// Its file.
    pub title: String,
    /// What is true and what was found.
    pub caption: String,
    /// Pictures side by side, each with its name.
    pub columns: Vec<(String, Picture)>,
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ReportError {
    #[error("{path}: cannot be written: {source}; give a file, such as report.html")]
    Write { path: PathBuf, source: io::Error },
}

/// Makes the report's folder if need be. Whether the file can be written shows here, before all the work.
pub fn prepare(path: &Path) -> Result<(), ReportError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    folder
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| {
            fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map(drop)
        })
        .map_err(|source| ReportError::Write {
            path: path.to_owned(),
            source,
        })
}

/// Writes the report to a file.
pub fn write(path: &Path, report: &Report<'_>) -> Result<(), ReportError> {
    fs::write(path, page::page(report)).map_err(|source| ReportError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::super::json::tests::evaluation;
    use super::*;

    #[test]
    fn the_page_is_whole_and_safe() {
        let mut evaluation = evaluation();
        evaluation.recipe.product = "<script>alert('&')</script>".to_owned();
        let columns = vec![
            ("picture".to_owned(), Picture::filled(4, 4, 3, 9)),
            ("\"mask\"".to_owned(), Picture::filled(4, 4, 1, 255)),
        ];
        let panel = Panel {
            title: "a<b>.png".to_owned(),
            caption: "good".to_owned(),
            columns,
        };
        let sections = [
            Section {
                title: "Missed".to_owned(),
                about: "None.".to_owned(),
                panels: vec![],
            },
            Section {
                title: "Found".to_owned(),
                about: "Some.".to_owned(),
                panels: vec![panel],
            },
        ];
        let scores =
            [(0.5, true), (3.5, true), (9.0, false)].map(|(score, good)| PictureScore { score, good });
        let notes = ["no float.onnx & no float rows".to_owned()];
        let report = Report {
            evaluation: &evaluation,
            tested: "2026-11-29 12:00 UTC",
            test_set: "5e7",
            scores: &scores,
            sections: &sections,
            notes: &notes,
        };
        let root = tempfile::tempdir().expect("a temporary folder");
        let page = root.path().join("new/report.html");
        prepare(&page).expect("a new folder");
        write(&page, &report).expect("written");
        let html = fs::read_to_string(&page).expect("the page");
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(&#39;&amp;&#39;)"));
        assert!(
            html.contains("a&lt;b&gt;.png")
                && html.contains("glue &lt;b&gt;")
                && html.contains("no float.onnx &amp;")
        );
        assert!(
            !html.contains("http://") && !html.contains("https://"),
            "the page must not ask the network"
        );
        assert!(!html.contains("NaN") && !html.contains("inf"));
        let shown: Vec<&str> = html
            .split("src=\"")
            .skip(1)
            .filter_map(|s| s.split('"').next())
            .collect();
        assert_eq!(shown.len(), 2);
        for (shown, [red, green]) in shown.iter().zip([[9, 9], [255, 255]]) {
            let bytes = shown
                .strip_prefix("data:image/jpeg;base64,")
                .map(|text| STANDARD.decode(text));
            let picture = image::load_from_memory(&bytes.expect("inline").expect("base64"))
                .expect("JPEG")
                .to_rgb8();
            let found = picture.get_pixel(1, 1).0;
            assert!(
                found[0].abs_diff(red) < 3 && found[1].abs_diff(green) < 3,
                "{found:?}"
            );
        }
        assert!(prepare(root.path()).is_err_and(|e| e.to_string().contains("report.html")));
    }

    #[test]
    fn an_empty_evaluation_still_makes_a_page() {
        let evaluation = Evaluation {
            results: Default::default(),
            counts: Default::default(),
            threshold: 0.0,
            ..evaluation()
        };
        let report = Report {
            evaluation: &evaluation,
            tested: "",
            test_set: "",
            scores: &[],
            sections: &[],
            notes: &[],
        };
        let html = page::page(&report);
        assert!(html.ends_with("</html>\n") && !html.contains("NaN") && !html.contains("inf"));
    }
}
