use super::*;
use crate::source::bytes::FileBytes;
use crate::source::disk::harness::{Damaged, exhaust, held, image, listing, same_as_listed};

#[test]
#[ignore = "for images of one's own: HOSTVET_XFS=image"]
fn list_one() {
    let file = std::fs::File::open(std::env::var("HOSTVET_XFS").unwrap()).unwrap();
    let start = std::time::Instant::now();
    let xfs = open(Arc::new(FileBytes::new(file).unwrap())).unwrap();
    eprintln!("opened in {:?}, {:?}", start.elapsed(), xfs.space());
    let start = std::time::Instant::now();
    let walked = crate::source::disk::harness::walk(&*xfs, usize::MAX);
    for (path, _) in &walked {
        if let Ok(stat) = xfs.lstat(path) {
            if stat.kind == FileKind::Directory {
                if let Err(error) = xfs.list(path) {
                    eprintln!("{error:?}");
                }
            }
        }
    }
    eprintln!("{} paths walked in {:?}", walked.len(), start.elapsed());
    let start = std::time::Instant::now();
    let listing = listing(&*xfs);
    eprintln!("listed with contents in {:?}", start.elapsed());
    std::fs::write(std::env::var("HOSTVET_LISTING").unwrap(), listing).unwrap();
}
