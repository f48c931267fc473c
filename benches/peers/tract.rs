//! Times stock tract on a form of a recipe's model: `tract FILE FRAMES`, one thread; prints milliseconds a
//! frame, the median.

use std::time::Instant;

use tract_onnx::prelude::*;

fn main() -> TractResult<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(frames)) = (arguments.next(), arguments.next()) else {
        return Err(TractError::msg("give a model and a number of frames"));
    };
    let frames: usize = frames.parse()?;
    let model = tract_onnx::onnx().model_for_path(file)?.into_optimized()?;
    let input = model.input_fact(0)?.clone();
    let shape = input
        .shape
        .as_concrete()
        .map(<[usize]>::to_vec)
        .unwrap_or_default();
    let picture = Tensor::zero_dt(input.datum_type, &shape)?.into_tvalue();
    let plan = model.into_runnable()?;
    let mut times = Vec::new();
    for frame in 0..frames + 2 {
        let start = Instant::now();
        plan.run(tvec![picture.clone()])?;
        if frame >= 2 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_unstable_by(f64::total_cmp);
    println!("{}", times.get(times.len() / 2).copied().unwrap_or(f64::NAN));
    Ok(())
}
