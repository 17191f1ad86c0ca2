//! Pairs that wait on disk: between a camera and the gate, and between the gate and an output that is
//! away. What is in it survives the plug being pulled.
