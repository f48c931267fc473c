//! The report: a folder with one HTML page and the pictures that it shows. It needs no network and no script.

mod chart;
mod choose;
pub(crate) mod html;
mod page;

use std::path::{Path, PathBuf};
use std::{fs, io};

use beltwatch::picture::{Picture, PictureError};

use super::json::Evaluation;

pub use choose::{Choice, choose};

/// The page.
pub const PAGE: &str = "index.html";
/// The folder of the pictures beside the page.
pub const PICTURES: &str = "pictures";

/// What the page tells.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The results.
    pub evaluation: &'a Evaluation,
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
    /// What the files are called: letters and dashes.
    pub key: &'static str,
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
pub enum ReportError {
    /// {path}: cannot be written: {source}
    #[error("{path}: cannot be written: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// a picture of the report
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// Writes the report into a folder, which is made if need be, and returns the path of the page.
pub fn write(folder: &Path, report: &Report<'_>) -> Result<PathBuf, ReportError> {
    let pictures = folder.join(PICTURES);
    fs::create_dir_all(&pictures).map_err(|source| ReportError::Write { path: pictures, source })?;
    for section in report.sections {
        for (p, panel) in section.panels.iter().enumerate() {
            for (c, (_, picture)) in panel.columns.iter().enumerate() {
                picture.save_png(&folder.join(picture_file(section.key, p, c)))?;
            }
        }
    }
    let path = folder.join(PAGE);
    fs::write(&path, page::page(report)).map_err(|source| ReportError::Write { path: path.clone(), source })?;
    Ok(path)
}

/// Where a picture of a panel lies, from the page.
fn picture_file(key: &str, panel: usize, column: usize) -> String {
    format!("{PICTURES}/{key}-{:02}-{}.png", panel + 1, column + 1)
}

#[cfg(test)]
mod tests {
    use super::super::json::tests::evaluation;
    use super::*;

    #[test]
    fn the_folder_is_whole_and_the_page_safe() {
        let mut evaluation = evaluation();
        evaluation.recipe.product = "<script>alert('&')</script>".to_owned();
        let columns = vec![
            ("picture".to_owned(), Picture::filled(4, 4, 3, 9)),
            ("\"mask\"".to_owned(), Picture::filled(4, 4, 1, 255)),
        ];
        let panel = Panel { title: "a<b>.png".to_owned(), caption: "good".to_owned(), columns };
        let sections = [
            Section { key: "miss", title: "Missed".to_owned(), about: "None.".to_owned(), panels: vec![] },
            Section { key: "find", title: "Found".to_owned(), about: "Some.".to_owned(), panels: vec![panel] },
        ];
        let scores = [(0.5, true), (3.5, true), (9.0, false)].map(|(score, good)| PictureScore { score, good });
        let notes = ["no float.onnx & no float rows".to_owned()];
        let report = Report { evaluation: &evaluation, scores: &scores, sections: &sections, notes: &notes };
        let root = tempfile::tempdir().expect("a temporary folder");
        let page = write(&root.path().join("new/report"), &report).expect("written");
        let html = fs::read_to_string(&page).expect("the page");
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(&#39;&amp;&#39;)"));
        assert!(
            html.contains("a&lt;b&gt;.png") && html.contains("glue &lt;b&gt;") && html.contains("no float.onnx &amp;")
        );
        assert!(!html.contains("http://") && !html.contains("https://"), "the page must not ask the network");
        assert!(!html.contains("NaN") && !html.contains("inf"));
        let folder = page.parent().expect("inside the folder");
        let shown: Vec<&str> = html.split("src=\"").skip(1).filter_map(|s| s.split('"').next()).collect();
        assert_eq!(shown, ["pictures/find-01-1.png", "pictures/find-01-2.png"]);
        assert!(shown.iter().all(|file| Picture::open(&folder.join(file)).is_ok()));
    }

    #[test]
    fn an_empty_evaluation_still_makes_a_page() {
        let evaluation =
            Evaluation { results: Default::default(), counts: Default::default(), threshold: 0.0, ..evaluation() };
        let report = Report { evaluation: &evaluation, scores: &[], sections: &[], notes: &[] };
        let html = page::page(&report);
        assert!(html.ends_with("</html>\n") && !html.contains("NaN") && !html.contains("inf"));
    }
}
