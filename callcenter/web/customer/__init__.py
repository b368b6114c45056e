"""What customers see: texts and dates in their language, their forms, the codes that prove a number."""
